package webapp

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"regexp"
	"strings"
	"time"
)

// Handler serves one directory. Close releases it.
type Handler struct {
	root *os.Root
	csp  string
	kept *representations
}

// New returns a handler for the app in dir, which must have an index.html. A non-empty
// csp is sent as the pages' Content-Security-Policy.
func New(dir, csp string) (*Handler, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		var wrong *fs.PathError
		if errors.As(err, &wrong) {
			err = wrong.Err
		}
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if info, err := root.Stat("index.html"); err != nil || !info.Mode().IsRegular() {
		root.Close()
		return nil, fmt.Errorf("%s: has no index.html; is it the folder of a built app?", dir)
	}
	return &Handler{root: root, csp: csp, kept: newRepresentations(root)}, nil
}

// Close releases the directory. Requests that come later are answered with 500.
func (h *Handler) Close() error { return h.root.Close() }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.secure(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name, ok := h.find(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if err := h.serve(w, r, name); err != nil {
		if errors.Is(err, fs.ErrNotExist) { // replaced since it was found
			http.NotFound(w, r)
			return
		}
		http.Error(w, "cannot read the file", http.StatusInternalServerError)
	}
}

func (h *Handler) secure(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	if h.csp != "" {
		header.Set("Content-Security-Policy", h.csp)
	}
}

// find returns the file that a request is answered with.
func (h *Handler) find(r *http.Request) (name string, ok bool) {
	if !strings.HasPrefix(r.URL.Path, "/") || strings.ContainsAny(r.URL.Path, "\\\x00") {
		return "", false
	}
	name = strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if hidden(name) {
		return "", false
	}
	if name != "" && h.isFile(name) {
		return name, true
	}
	if name == "" || isRoute(r, name) {
		return "index.html", true
	}
	return "", false
}

func (h *Handler) isFile(name string) bool {
	info, err := h.root.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// isRoute reports whether a path without a file is a page of the app: somebody who asks
// for a script gets an error that says so, not a page.
func isRoute(r *http.Request, name string) bool {
	return path.Ext(name) == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// hidden reports names that are nobody's business, such as .git or .env.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != ".well-known" {
			return true
		}
	}
	return false
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, name string) error {
	file, err := h.kept.choose(name, acceptable(r.Header.Get("Accept-Encoding")))
	if err != nil {
		return err
	}
	body, err := file.open()
	if err != nil {
		return err
	}
	defer body.Close()

	header := w.Header()
	header.Set("Content-Type", contentType(name))
	header.Set("ETag", file.etag)
	header.Set("Cache-Control", cacheControl(name))
	if compressible(name) {
		header.Add("Vary", "Accept-Encoding")
	}
	if file.encoding != "" {
		header.Set("Content-Encoding", file.encoding)
	}
	http.ServeContent(w, r, "", time.Time{}, body)
	return nil
}

// hashed is how bundlers name what may be cached for ever: folder/name-HASH8.ext.
var hashed = regexp.MustCompile(`/[^/]*[-.]([A-Za-z0-9_-]{8}|[0-9a-f]{16,64})\.[a-z0-9]+$`)

func cacheControl(name string) string {
	match := hashed.FindStringSubmatch(name)
	// A hash has a digit or a capital; what has neither may be a word of eight letters.
	if match != nil && strings.ContainsAny(match[1], "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return "public, max-age=31536000, immutable"
	}
	return "no-cache"
}

// types are those that matter here, whatever the machine's own table says.
var types = map[string]string{
	".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".mjs": "text/javascript; charset=utf-8", ".json": "application/json", ".map": "application/json",
	".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm",
	".webmanifest": "application/manifest+json", ".ico": "image/x-icon", ".woff2": "font/woff2", ".xml": "application/xml",
	".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".avif": "image/avif",
}

func contentType(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t, ok := types[ext]; ok {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}

// compressible reports whether a file's bytes are worth compressing.
func compressible(name string) bool {
	t := contentType(name)
	for _, prefix := range []string{"text/", "application/json", "application/wasm", "application/manifest", "application/xml", "image/svg"} {
		if strings.HasPrefix(t, prefix) {
			return true
		}
	}
	return false
}

// readSeekCloser is what ServeContent reads, and can be closed.
type readSeekCloser interface {
	io.ReadSeeker
	io.Closer
}
