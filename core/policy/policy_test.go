package policy_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// fields is an entity in memory.
type fields map[string]value.Value

func (f fields) Field(name string) value.Value { return f[name] }

func TestPermissiveAllowsEverything(t *testing.T) {
	agent := policy.Permissive()
	for _, credentials := range [][]byte{nil, []byte("anything")} {
		p, err := agent.Authenticate(t.Context(), credentials)
		if err != nil || p != (policy.Principal{}) {
			t.Errorf("with %q one is %+v, %v", credentials, p, err)
		}
	}
	for _, p := range []policy.Principal{{}, {Name: "matt", Claims: 7}} {
		narrow, err := agent.Narrow(p, "album")
		if narrow != nil || err != nil {
			t.Errorf("%+v sees %v, %v", p, narrow, err)
		}
		err1 := agent.Read(p, "album", fields{})
		err2 := agent.Write(p, policy.Write{Event: &proto.Event{}, After: fields{}})
		if err := errors.Join(err1, err2); err != nil {
			t.Error(err)
		}
	}
}

// A node says in its log that it runs with the permissive agent, and with no other.
func TestIsPermissive(t *testing.T) {
	if !policy.IsPermissive(policy.Permissive()) {
		t.Error("the permissive agent is not known")
	}
	for _, agent := range []policy.Agent{nil, ownersOnly{}, struct{ policy.Agent }{policy.Permissive()}} {
		if policy.IsPermissive(agent) {
			t.Errorf("%T counts as permissive", agent)
		}
	}
}

func TestDeniedSaysWhy(t *testing.T) {
	err := fmt.Errorf("commit: %w", policy.Denied("%s may not write %q", "matt", "artist"))
	if !errors.Is(err, policy.ErrDenied) || err.Error() != `commit: access denied: matt may not write "artist"` {
		t.Errorf("%v", err)
	}
}

// ownersOnly lets everybody see and change what carries their name.
type ownersOnly struct{}

func (ownersOnly) Authenticate(_ context.Context, credentials []byte) (policy.Principal, error) {
	if len(credentials) == 0 {
		return policy.Principal{}, policy.Denied("a name is needed")
	}
	return policy.Principal{Name: string(credentials)}, nil
}

func (ownersOnly) Narrow(p policy.Principal, _ string) (ankql.Expr, error) {
	s, err := ankql.Parse("owner = ?", p.Name)
	if err != nil {
		return nil, err
	}
	return s.Where, nil
}

func (ownersOnly) Read(p policy.Principal, collection string, e policy.Fields) error {
	if e.Field("owner") != value.String(p.Name) {
		return policy.Denied("this %s is somebody else's", collection)
	}
	return nil
}

func (a ownersOnly) Write(p policy.Principal, w policy.Write) error {
	for _, e := range []policy.Fields{w.Before, w.After} {
		if e == nil {
			continue
		}
		if err := a.Read(p, w.Event.Collection, e); err != nil {
			return err
		}
	}
	return nil
}

// An agent judges a write by the entity before and after it, so that nobody can give away
// or take over what is not theirs.
func ExampleAgent() {
	var agent policy.Agent = ownersOnly{}
	matt, _ := agent.Authenticate(context.Background(), []byte("matt"))
	mine, theirs := fields{"owner": value.String("matt")}, fields{"owner": value.String("dom")}
	event := &proto.Event{Collection: "album"}

	fmt.Println(agent.Write(matt, policy.Write{Event: event, After: mine}))
	fmt.Println(agent.Write(matt, policy.Write{Event: event, Before: mine, After: theirs}))
	narrow, _ := agent.Narrow(matt, "album")
	fmt.Println(narrow)
	_, err := agent.Authenticate(context.Background(), nil)
	fmt.Println(err)
	// Output:
	// <nil>
	// access denied: this album is somebody else's
	// owner = 'matt'
	// access denied: a name is needed
}
