package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	check(t, os.WriteFile(certFile, certPEM, 0o600))
	check(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyBytes}), 0o600))
	trusted = x509.NewCertPool()
	trusted.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, trusted
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
