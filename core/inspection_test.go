package core_test

import (
	"testing"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// A durable node tells who is connected and what they have open, and a store its models
// without a node.
func TestInspection(t *testing.T) {
	engine := memory.New()
	server, err := core.Open(t.Context(), core.Options{Engine: engine, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := server.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := server.Register(t.Context(), pet); err != nil {
		t.Fatal(err)
	}
	if peers := server.ServedPeers(); len(peers) != 0 {
		t.Errorf("peers of nobody: %+v", peers)
	}
	client, err := core.Open(t.Context(), core.Options{Engine: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	local.Connect(server, client)
	if err := client.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.Register(t.Context(), pet); err != nil {
		t.Fatal(err)
	}
	watch(t, client, "pet", "age > 3 ORDER BY name")
	await(t, "the subscription is open", func() bool {
		peers := server.ServedPeers()
		return len(peers) == 1 && peers[0].Node == client.ID() && !peers[0].Durable && len(peers[0].Subscriptions) == 1 &&
			peers[0].Subscriptions[0] == core.Subscription{Collection: "pet", Selection: "age > 3"}
	})
	for name, known := range map[string]func() (int, int){
		"node": func() (int, int) { m := server.Models(); return len(m), len(m[0].Properties) },
		"store": func() (int, int) {
			m, err := core.ReadModels(t.Context(), engine)
			if err != nil || len(m) == 0 || m[0].Collection != "pet" {
				t.Fatal(m, err)
			}
			return len(m), len(m[0].Properties)
		},
	} {
		if models, properties := known(); models != 1 || properties != len(pet.Properties) {
			t.Errorf("%s: %d models with %d properties", name, models, properties)
		}
	}
}
