package ankurah_test

import (
	"context"
	"fmt"
	"log"
	"reflect"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// Cursor is what a visitor of the example shows the others.
type Cursor struct {
	Name string  `ankurah:"name"`
	X    float64 `ankurah:"x"`
	Y    float64 `ankurah:"y"`
}

// Who is in a room sees the others there, and what they say of themselves, for as long as they
// are there.
func ExampleEnter() {
	ctx := context.Background()
	server, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	check(err)
	defer server.Close()
	check(server.CreateSystem(ctx))
	client, err := ankurah.New(memory.New(), ankurah.Permissive())
	check(err)
	defer client.Close()
	local.Connect(server, client)

	watch, err := ankurah.Watch[Cursor](server.Context(ankurah.Anonymous), "album/1")
	check(err)
	changes := make(chan struct{}, 1)
	watch.Subscribe(func() {
		select {
		case changes <- struct{}{}:
		default:
		}
	})
	until := func(present bool) {
		for len(watch.Members()) > 0 != present {
			<-changes
		}
	}

	matt, err := ankurah.Enter(client.Context(ankurah.Anonymous), "album/1", Cursor{Name: "Matt", X: 0.5})
	check(err)
	until(true)
	for _, m := range watch.Members() {
		fmt.Printf("%s is at %v, %v\n", m.State.Name, m.State.X, m.State.Y)
	}
	matt.Leave()
	until(false)
	fmt.Println("nobody is here")
	// Output:
	// Matt is at 0.5, 0
	// nobody is here
}

// States have all types that models have; what others say and does not fit is left out.
func TestPresenceOfStructs(t *testing.T) {
	type full struct {
		Text  string            `ankurah:"text"`
		Count int               `ankurah:"count"`
		On    bool              `ankurah:"on"`
		Raw   []byte            `ankurah:"raw"`
		At    time.Time         `ankurah:"at"`
		Maybe *int              `ankurah:"maybe"`
		Tags  map[string]string `ankurah:"tags,json"`
	}
	type other struct {
		Text  int    `ankurah:"text"`
		Count int    `ankurah:"count"`
		More  string `ankurah:"more"`
	}
	server, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c := server.Context(ankurah.Anonymous)
	said := full{Text: "a", Count: 3, On: true, Raw: []byte{1}, At: time.UnixMicro(1_700_000_000_000_000).UTC(), Tags: map[string]string{"a": "b"}}
	p, err := ankurah.Enter(c, "lobby", full{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Leave()
	if err := p.Set(said); err != nil {
		t.Fatal(err)
	}
	same, err := ankurah.Watch[full](c, "lobby")
	if err != nil {
		t.Fatal(err)
	}
	defer same.Leave()
	strange, err := ankurah.Watch[other](c, "lobby")
	if err != nil {
		t.Fatal(err)
	}
	defer strange.Leave()
	changes := make(chan struct{}, 100)
	for _, subscribe := range []func(func()) func(){same.Subscribe, strange.Subscribe} {
		defer subscribe(func() { changes <- struct{}{} })()
	}
	deadline := time.After(20 * time.Second)
	for len(same.Members()) == 0 || len(strange.Members()) == 0 {
		select {
		case <-changes:
		case <-deadline:
			log.Fatal("nobody is seen")
		}
	}
	if got := same.Members()[0]; !reflect.DeepEqual(got.State, said) || got.ID != p.ID() {
		t.Errorf("%+v", got)
	}
	if got := strange.Members()[0].State; got != (other{Count: 3}) {
		t.Errorf("%+v", got)
	}
	if _, err := ankurah.Enter(c, "lobby", 7); err == nil {
		t.Error("a number is a state")
	}
	if status, err := same.Status(); status != ankurah.PresenceLive || err != nil {
		t.Errorf("%v, %v", status, err)
	}
}
