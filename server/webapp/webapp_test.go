package webapp_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/server/webapp"
)

const page = "<!doctype html><title>albums</title>"

var script = strings.Repeat("console.log('albums');\n", 500)

// app writes a built app into a new directory and returns its handler.
func app(t testing.TB) (h *webapp.Handler, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "dist")
	for name, content := range map[string]string{
		"index.html":                 page,
		"favicon.ico":                "icon",
		"robots.txt":                 "User-agent: *",
		".env":                       "SECRET=1",
		".well-known/security.txt":   "Contact: us",
		"assets/index-D4x9_Kq1.js":   script,
		"assets/ankurah-B1c2D3.wasm": "\x00asm",
		"assets/node-C0ffee12.wasm":  "\x00asm" + strings.Repeat("\x01\x02\x03", 4000),
		"assets/plain.js":            script,
		"assets/with-copies.css":     strings.Repeat("a{}", 1000),
		"assets/with-copies.css.br":  "brotli bytes",
		"assets/with-copies.css.gz":  "gzip bytes",
		"assets/some-cellular.js":    "1",
		"sub/index.html":             "not served for its folder",
	} {
		write(t, filepath.Join(dir, name), content)
	}
	write(t, filepath.Join(filepath.Dir(dir), "secret.txt"), "outside")
	if err := os.Symlink(filepath.Join("..", "secret.txt"), filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	h, err := webapp.New(dir, "default-src 'self'")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h, dir
}

func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, built, built); err != nil {
		t.Fatal(err)
	}
}

// built is when the app was built: a build writes files in any order.
var built = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// request asks the handler, with headers as "Name: value".
func request(h http.Handler, method, target string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path, r.URL.RawPath = target, ""
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const browser = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"

func TestWhatIsServed(t *testing.T) {
	h, _ := app(t)
	for _, c := range []struct {
		path, accept string
		status       int
		body         string
	}{
		{"/", browser, 200, page},
		{"/index.html", browser, 200, page},
		{"/", "", 200, page},
		{"/robots.txt", "", 200, "User-agent: *"},
		{"/assets/plain.js", "", 200, script},
		{"/albums/7", browser, 200, page},     // a route of the app
		{"/albums/7", "Accept: */*", 404, ""}, // a script asks for data
		{"/assets/gone.js", browser, 404, ""},
		{"/sub", browser, 200, page}, // a folder is not listed, and not special
		{"/sub/", browser, 200, page},
		{"/assets", "Accept: */*", 404, ""},
		{"/.env", browser, 404, ""},
		{"/.git/config", browser, 404, ""},
		{"/.well-known/security.txt", "", 200, "Contact: us"},
		{"/../secret.txt", browser, 404, ""},
		{"/assets/../../secret.txt", browser, 404, ""},
		{"/assets/..%2f..%2fsecret.txt", browser, 404, ""},
		{"/..\\secret.txt", browser, 404, ""},
		{"/link.txt", browser, 404, ""}, // points outside
		{"/robots.txt\x00.html", browser, 404, ""},
	} {
		r := request(h, "GET", c.path, c.accept)
		if r.StatusCode != c.status {
			t.Errorf("%q %s: status %d, want %d", c.path, c.accept, r.StatusCode, c.status)
		}
		if got := body(t, r); c.status == 200 && got != c.body {
			t.Errorf("%q: body %.60q, want %.60q", c.path, got, c.body)
		} else if strings.Contains(got, "outside") {
			t.Errorf("%q: a file from outside was served", c.path)
		}
	}
}

func TestHeaders(t *testing.T) {
	h, _ := app(t)
	const forEver = "public, max-age=31536000, immutable"
	for _, c := range []struct{ path, contentType, cache string }{
		{"/", "text/html; charset=utf-8", "no-cache"},
		{"/favicon.ico", "image/x-icon", "no-cache"},
		{"/assets/index-D4x9_Kq1.js", "text/javascript; charset=utf-8", forEver},
		{"/assets/node-C0ffee12.wasm", "application/wasm", forEver},
		{"/assets/ankurah-B1c2D3.wasm", "application/wasm", "no-cache"}, // six characters are no hash
		{"/assets/plain.js", "text/javascript; charset=utf-8", "no-cache"},
		{"/assets/some-cellular.js", "text/javascript; charset=utf-8", "no-cache"}, // eight letters are a word
	} {
		r := request(h, "GET", c.path)
		if got := r.Header.Get("Content-Type"); got != c.contentType {
			t.Errorf("%s: Content-Type %q, want %q", c.path, got, c.contentType)
		}
		if got := r.Header.Get("Cache-Control"); got != c.cache {
			t.Errorf("%s: Cache-Control %q, want %q", c.path, got, c.cache)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options":  "nosniff",
			"Content-Security-Policy": "default-src 'self'",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s %q, want %q", c.path, name, got, want)
			}
		}
	}
}

func TestCompression(t *testing.T) {
	h, _ := app(t)
	for _, c := range []struct{ path, accept, encoding string }{
		{"/assets/with-copies.css", "gzip, deflate, br", "br"},
		{"/assets/with-copies.css", "gzip", "gzip"},
		{"/assets/with-copies.css", "br;q=0, gzip;q=0.5", "gzip"},
		{"/assets/with-copies.css", "GZIP", "gzip"},
		{"/assets/with-copies.css", "br;q=0", ""},
		{"/assets/with-copies.css", "br;q=nonsense", ""},
		{"/assets/with-copies.css", "", ""},
		{"/assets/plain.js", "gzip, br", "gzip"},
		{"/assets/plain.js", "br", ""},
		{"/assets/node-C0ffee12.wasm", "gzip, br", "gzip"},
		{"/assets/some-cellular.js", "gzip", ""}, // too small
		{"/favicon.ico", "gzip", ""},             // compressed already, as images are
	} {
		r := request(h, "GET", c.path, "Accept-Encoding: "+c.accept)
		if got := r.Header.Get("Content-Encoding"); got != c.encoding {
			t.Errorf("%s for %q: encoding %q, want %q", c.path, c.accept, got, c.encoding)
		}
	}

	r := request(h, "GET", "/assets/plain.js", "Accept-Encoding: gzip")
	z, err := gzip.NewReader(strings.NewReader(body(t, r)))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || string(plain) != script {
		t.Errorf("the compressed script is another one: %v", err)
	}
	if got := r.Header.Get("Vary"); got != "Accept-Encoding" {
		t.Errorf("Vary is %q", got)
	}
	if got := body(t, request(h, "GET", "/assets/with-copies.css", "Accept-Encoding: br")); got != "brotli bytes" {
		t.Errorf("the copy was not sent: %.40q", got)
	}
}

func TestStaleCompressedCopyIsNotSent(t *testing.T) {
	h, dir := app(t)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "assets/with-copies.css"), later, later); err != nil {
		t.Fatal(err)
	}
	r := request(h, "GET", "/assets/with-copies.css", "Accept-Encoding: br, gzip")
	if got := body(t, r); got == "brotli bytes" || got == "gzip bytes" {
		t.Errorf("sent %q, which is older than its file", got)
	}
}

func TestReplacedFileIsServedAnew(t *testing.T) {
	h, dir := app(t)
	first := request(h, "GET", "/assets/plain.js", "Accept-Encoding: gzip")
	write(t, filepath.Join(dir, "assets/plain.js"), script+script)
	second := request(h, "GET", "/assets/plain.js", "Accept-Encoding: gzip")
	if first.Header.Get("ETag") == second.Header.Get("ETag") {
		t.Error("the ETag is the same for other content")
	}
	z, err := gzip.NewReader(second.Body)
	if err != nil {
		t.Fatal(err)
	}
	if plain, _ := io.ReadAll(z); string(plain) != script+script {
		t.Error("the old content was sent")
	}
}

func TestETag(t *testing.T) {
	h, _ := app(t)
	tags := map[string]string{}
	for _, accept := range []string{"", "gzip"} {
		r := request(h, "GET", "/assets/plain.js", "Accept-Encoding: "+accept)
		tag := r.Header.Get("ETag")
		if len(tag) < 10 || tag[0] != '"' {
			t.Fatalf("ETag %q", tag)
		}
		if other, ok := tags[tag]; ok {
			t.Errorf("%q and %q have one ETag", accept, other)
		}
		tags[tag] = accept
		again := request(h, "GET", "/assets/plain.js", "Accept-Encoding: "+accept, "If-None-Match: "+tag)
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("asked again with its ETag: status %d, want 304", again.StatusCode)
		}
		if got := body(t, again); got != "" {
			t.Errorf("304 with a body of %d bytes", len(got))
		}
	}
}

func TestMethods(t *testing.T) {
	h, _ := app(t)
	head := request(h, "HEAD", "/assets/plain.js")
	if head.StatusCode != 200 || body(t, head) != "" || head.Header.Get("Content-Length") == "" {
		t.Errorf("HEAD: %d, %v", head.StatusCode, head.Header)
	}
	post := request(h, "POST", "/")
	if post.StatusCode != http.StatusMethodNotAllowed || post.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, %v", post.StatusCode, post.Header)
	}
}

func TestRange(t *testing.T) {
	h, _ := app(t)
	r := request(h, "GET", "/robots.txt", "Range: bytes=0-3")
	if got := body(t, r); r.StatusCode != http.StatusPartialContent || got != "User" {
		t.Errorf("%d %q", r.StatusCode, got)
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "x")
	for dir, want := range map[string]string{
		filepath.Join(t.TempDir(), "missing"): "no such file or directory",
		file:                                  "not a directory",
		t.TempDir():                           "has no index.html",
	} {
		if h, err := webapp.New(dir, ""); err == nil {
			h.Close()
			t.Errorf("%s: accepted", dir)
		} else if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v, want it to say %q", dir, err, want)
		}
	}
}

func FuzzPath(f *testing.F) {
	h, _ := app(f)
	for _, seed := range []string{"/", "/../secret.txt", "//assets//plain.js", "/assets/./../.env", "/%2e%2e/secret.txt", "/\x00", "", "x", "/link.txt/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r := request(h, "GET", path, browser)
		got := body(t, r)
		if strings.Contains(got, "outside") || strings.Contains(got, "SECRET") {
			t.Errorf("%q serves what it must not", path)
		}
		if r.StatusCode == 200 && !bytes.HasPrefix([]byte(got), []byte("<!doctype")) && r.Header.Get("ETag") == "" {
			t.Errorf("%q: a file without an ETag", path)
		}
	})
}
