package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/archive"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/examples/model"
	"github.com/ankurah-go/ankurah/server/admin"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// On the admin socket a server tells how it is and what it holds, and nobody but its user may
// open it.
func TestAdminSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	if err := os.WriteFile(socket, []byte("not a socket"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Listen(socket); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("a file in its place: %v", err)
	}
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	s := start(t, "--data="+t.TempDir(), "--admin="+socket)
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if _, err := admin.Listen(socket); !errors.Is(err, admin.ErrInUse) {
		t.Errorf("a second server: %v", err)
	}
	client := dial(t, s.url("ws"))
	album, err := create(t.Context(), client, "inspected")
	if err != nil {
		t.Fatal(err)
	}
	albums, err := ankurah.Query[model.Album](client.Context(ankurah.Anonymous), "year > 1990")
	if err != nil {
		t.Fatal(err)
	}
	defer albums.Close()
	if err := albums.Wait(t.Context(), ankurah.QueryLive); err != nil {
		t.Fatal(err)
	}
	c := admin.NewClient(socket)
	in, err := c.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if in.Node != s.node.ID().String() || in.Bytes == 0 || len(in.Feeds) != 1 || len(in.Collections) == 0 || in.Collections[0].Entities != 1 ||
		in.Server.Status != "ready" || in.Server.Connections != 1 || len(in.Server.Peers) != 1 || len(in.Server.Peers[0].Subscriptions) != 1 ||
		in.Server.Peers[0].Node != client.ID().String() || in.Server.Peers[0].Subscriptions[0] != (admin.Subscription{Collection: "album", Selection: "year > 1990"}) {
		t.Errorf("%+v, %+v", in, in.Server)
	}
	e, err := c.Entity(t.Context(), album)
	if err != nil || e.Collection != "album" || e.Revision != 1 || len(e.Events) != 1 || e.Events[0].Author != client.ID().String() {
		t.Errorf("%+v, %v", e, err)
	}
	var refused *admin.Refused
	if _, err := c.Entity(t.Context(), ankurah.EntityID{}); !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("an entity that is not there: %v", err)
	}
	body, err := c.Archive(t.Context(), admin.ArchiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	var whole bytes.Buffer
	if _, err := whole.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	r, err := archive.NewReader(&whole)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if done, err := archive.Restore(t.Context(), memory.New(), r, archive.RestoreOptions{}); err != nil || done.Counts.Events == 0 {
		t.Errorf("its archive: %+v, %v", done, err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket of a server that has stopped: %v", err)
	}
}

// An operator sees what the process spends its memory and time on, where nobody else may look.
func TestProfilesOnTheSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	s := start(t, "--data="+t.TempDir(), "--admin="+socket)
	c := admin.NewClient(socket)
	for name, says := range map[string]string{"heap": "heap profile: ", "goroutine": "goroutine profile: "} {
		profile, err := c.Profile(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(profile)
		profile.Close()
		if err != nil || !strings.HasPrefix(string(text), says) {
			t.Errorf("%s: %v, %.100s", name, err, text)
		}
	}
	var refused *admin.Refused
	if _, err := c.Profile(t.Context(), "nothing"); !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		t.Errorf("a profile that there is not: %v", err)
	}
	if code, _ := get(t, s.url("http")+"/debug/pprof/heap"); code == http.StatusOK {
		t.Error("everybody may look")
	}
}

// A server is drained without being stopped: whoever asks hears that it is not ready, its clients
// have gone to another one when the command ends, and it takes no new ones.
func TestDrainOnRequest(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	s := start(t, "--data="+t.TempDir(), "--admin="+socket, "--drain-delay=1ms")
	dial(t, s.url("ws"))
	c := admin.NewClient(socket)
	for range 2 { // again is harmless
		if err := c.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if peers := s.node.Peers(); peers != 0 {
			t.Errorf("%d clients are served", peers)
		}
	}
	if code, body := get(t, s.url("http")+"/readyz"); code != 503 || !strings.Contains(body, errDraining.Error()) {
		t.Errorf("readyz says %d %q", code, body)
	}
	if in, err := c.Inspect(t.Context()); err != nil || in.Server.Status != errDraining.Error() {
		t.Errorf("it runs on: %+v, %v", in.Server, err)
	}
	late, err := ankurah.Open(t.Context(), ankurah.Options{Engine: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	refused := make(chan struct{}, 1)
	defer late.OnStatus(func(s ankurah.Status) {
		if s.LastError != nil {
			select {
			case refused <- struct{}{}:
			default:
			}
		}
	})()
	late.Dial(ws.Dialer(s.url("ws"), ws.DialOptions{}), ankurah.DialOptions{})
	select {
	case <-refused:
	case <-time.After(time.Minute):
		t.Error("a new client is not refused")
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}
