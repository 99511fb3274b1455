package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// certificate writes a new certificate for 127.0.0.1 and its key, and returns a pool that
// trusts it.
func certificate(t *testing.T) (certFile, keyFile string, trusted *x509.CertPool) {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	return certFile, keyFile, writeCertificate(t, certFile, keyFile)
}

// writeCertificate is certificate, in place of what the files hold.
func writeCertificate(t *testing.T, certFile, keyFile string) (trusted *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	keyBytes, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	check(t, os.WriteFile(certFile, certPEM, 0o600))
	check(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyBytes}), 0o600))
	trusted = x509.NewCertPool()
	trusted.AppendCertsFromPEM(certPEM)
	return trusted
}

// handshakes reports whether the server shows a certificate that is trusted.
func handshakes(t *testing.T, address string, trusted *x509.CertPool) bool {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: trusted})
	var unknown *tls.CertificateVerificationError
	if errors.As(err, &unknown) {
		return false
	}
	check(t, err)
	conn.Close()
	return true
}

// A certificate that is renewed is shown without a restart, at once on SIGHUP and else soon;
// one that makes no sense leaves the old one in place.
func TestCertificatesAreRenewed(t *testing.T) {
	leaktest.Check(t)
	certFile, keyFile, first := certificate(t)
	s := start(t, "--storage=memory:", "--tls-cert="+certFile, "--tls-key="+keyFile)
	address := s.listener.Addr().String()
	if !handshakes(t, address, first) {
		t.Fatal("the first certificate is not shown")
	}
	second := writeCertificate(t, certFile, keyFile)
	if !handshakes(t, address, first) {
		t.Error("the files are read at every handshake")
	}
	s.tls.reload()
	if !handshakes(t, address, second) {
		t.Error("after a reload the first certificate is still shown")
	}
	s.tls.every = 0
	third := writeCertificate(t, certFile, keyFile)
	later := time.Now().Add(time.Second) // whatever the resolution of the file system's times
	check(t, os.Chtimes(certFile, later, later))
	if !handshakes(t, address, third) {
		t.Error("the files have changed, and the second certificate is still shown")
	}
	check(t, os.WriteFile(certFile, []byte("nonsense"), 0o600))
	for range 2 {
		if !handshakes(t, address, third) {
			t.Error("the files make no sense, and the old certificate is gone")
		}
	}
	fourth := writeCertificate(t, certFile, keyFile)
	later = later.Add(time.Second)
	check(t, os.Chtimes(keyFile, later, later))
	if !handshakes(t, address, fourth) {
		t.Error("after nonsense nothing is read again")
	}
}

// SIGHUP reaches a server that is a process.
func TestHangupRenewsTheCertificate(t *testing.T) {
	leaktest.Check(t)
	certFile, keyFile, _ := certificate(t)
	p := spawn(t, "--addr=127.0.0.1:0", "--storage=memory:", "--tls-cert="+certFile, "--tls-key="+keyFile)
	address := strings.TrimPrefix(p.url(t), "wss://")
	second := writeCertificate(t, certFile, keyFile)
	check(t, p.Process.Signal(syscall.SIGHUP))
	p.says(t, "read the certificate again")
	if !handshakes(t, address, second) {
		t.Error("the first certificate is still shown")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestClientsConnectOverTLS(t *testing.T) {
	leaktest.Check(t)
	certFile, keyFile, trusted := certificate(t)
	s := start(t, "--storage=memory:", "--tls-cert="+certFile, "--tls-key="+keyFile)
	if !strings.HasPrefix(s.url("ws"), "wss://") {
		t.Errorf("the server says that clients connect to %s", s.url("ws"))
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	t.Cleanup(transport.CloseIdleConnections)

	node, err := ankurah.New(memory.New(), ankurah.Permissive())
	check(t, err)
	t.Cleanup(func() { node.Close() })
	node.Dial(ws.Dialer(s.url("ws"), ws.DialOptions{Client: &http.Client{Transport: transport}}), ankurah.DialOptions{})
	check(t, node.WaitReady(t.Context()))
	if _, err := create(t.Context(), node, "encrypted"); err != nil {
		t.Error(err)
	}
	if len(names(t, s.node)) != 1 {
		t.Error("the server does not have what was committed over TLS")
	}
}
