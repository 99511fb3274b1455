package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/server/config"
)

// certificateCheck is how often handshakes look whether the certificate's files are others.
const certificateCheck = 10 * time.Second

// keyPair is the server's certificate, read again when its files have changed, since
// certificates are renewed every few weeks and servers run for longer. New files that make no
// sense are reported, and the old certificate stays.
type keyPair struct {
	certFile, keyFile string
	log               *slog.Logger
	every             time.Duration

	mu      sync.Mutex
	current *tls.Certificate
	written [2]time.Time // when the files were, of what is current or made no sense
	checked time.Time
}

// loadCertificate reads the certificate; it returns nil where there is to be none.
func loadCertificate(c *config.Config, log *slog.Logger) (*keyPair, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	x := &keyPair{certFile: c.TLSCert, keyFile: c.TLSKey, log: log, every: certificateCheck, checked: time.Now()}
	x.written, _ = x.stamps()
	return x, x.read()
}

// config returns a TLS configuration with the certificate as it is at each handshake.
func (c *keyPair) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return c.get(), nil
	}}
}

func (c *keyPair) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) >= c.every {
		c.checked = now
		c.refreshLocked(false)
	}
	return c.current
}

// reload reads the files now, whether they look changed or not.
func (c *keyPair) reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refreshLocked(true)
}

func (c *keyPair) refreshLocked(always bool) {
	written, err := c.stamps()
	if err == nil && written == c.written && !always {
		return
	}
	c.written = written
	if err == nil {
		err = c.read()
	}
	if err != nil {
		c.log.Error("the certificate cannot be read again; the old one stays", "err", err)
		return
	}
	c.log.Info("read the certificate again")
}

func (c *keyPair) read() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("--tls-cert %s with --tls-key %s: %w", c.certFile, c.keyFile, err)
	}
	c.current = &pair
	return nil
}

func (c *keyPair) stamps() (written [2]time.Time, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return written, err
		}
		written[i] = info.ModTime()
	}
	return written, nil
}
