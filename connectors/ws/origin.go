package ws

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// CheckOrigins reports the first of the patterns, as in Options.Origins, that makes no
// sense.
func CheckOrigins(patterns []string) error {
	_, err := parseOrigins(patterns)
	return err
}

// originPattern is one entry of Options.Origins, taken apart.
type originPattern struct {
	any    bool
	scheme string
	host   string // without port; begins with "*." for every name below it
	port   string // "" for the scheme's own, "*" for any
}

func parseOrigins(patterns []string) ([]originPattern, error) {
	var out []originPattern
	var failed error
	for _, text := range patterns {
		p, err := parseOrigin(text)
		if err != nil {
			if failed == nil {
				failed = err
			}
			continue
		}
		out = append(out, p)
	}
	return out, failed
}

func parseOrigin(text string) (originPattern, error) {
	if text == "*" {
		return originPattern{any: true}, nil
	}
	scheme, rest, ok := strings.Cut(strings.ToLower(text), "://")
	if !ok || (scheme != "http" && scheme != "https") {
		return originPattern{}, fmt.Errorf("origin %q: want *, or something like https://app.example.com", text)
	}
	host, port := splitPort(rest)
	name := strings.TrimPrefix(host, "*.")
	if name == "" || strings.ContainsAny(name, "*/?#@ ") {
		return originPattern{}, fmt.Errorf("origin %q: want a host, without a path; *. is allowed before it", text)
	}
	if port != "*" && strings.Trim(port, "0123456789") != "" {
		return originPattern{}, fmt.Errorf("origin %q: want a port number or *", text)
	}
	return originPattern{scheme: scheme, host: host, port: port}, nil
}

// splitPort is net.SplitHostPort for hosts that may have no port.
func splitPort(hostport string) (host, port string) {
	i := strings.LastIndexByte(hostport, ':')
	if i < 0 || strings.HasSuffix(hostport, "]") {
		return hostport, ""
	}
	return hostport[:i], hostport[i+1:]
}

func (p originPattern) matches(origin *url.URL) bool {
	if p.any {
		return true
	}
	host, port := splitPort(strings.ToLower(origin.Host))
	if origin.Scheme != p.scheme || (p.port != "*" && port != p.port) {
		return false
	}
	if below, ok := strings.CutPrefix(p.host, "*"); ok {
		return strings.HasSuffix(host, below) && len(host) > len(below)
	}
	return host == p.host
}

// originAllowed decides about the page that a browser says the request comes from.
func (e *Endpoint) originAllowed(r *http.Request) bool {
	text := r.Header.Get("Origin")
	if text == "" {
		return true // not a browser
	}
	origin, err := url.Parse(text)
	if err != nil {
		return false
	}
	if origin.Host != "" && strings.EqualFold(origin.Host, r.Host) {
		return true
	}
	for _, p := range e.origins {
		if p.matches(origin) {
			return true
		}
	}
	return false
}
