package sim

import (
	"context"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/policy"
)

// agent is the policy of the durable nodes. What it allows changes while they run.
type agent struct {
	mu    sync.Mutex
	rules map[string]rule // by principal
}

// rule is what one principal may do.
type rule struct {
	scope    *ankql.Selection // nil for everything
	readOnly bool
	banned   bool
}

func newAgent() *agent { return &agent{rules: make(map[string]rule)} }

func (a *agent) of(name string) rule {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rules[name]
}

func (a *agent) set(name string, r rule) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rules[name] = r
}

// Authenticate implements policy.Agent: credentials are the name.
func (a *agent) Authenticate(_ context.Context, credentials []byte) (policy.Principal, error) {
	name := string(credentials)
	if a.of(name).banned {
		return policy.Principal{}, policy.Denied("%s is banned", name)
	}
	return policy.Principal{Name: name}, nil
}

// Narrow implements policy.Agent.
func (a *agent) Narrow(p policy.Principal, collection string) (ankql.Expr, error) {
	if s := a.of(p.Name).scope; s != nil && collection == Model.Collection {
		return s.Where, nil
	}
	return nil, nil
}

// Read implements policy.Agent.
func (a *agent) Read(policy.Principal, string, policy.Fields) error { return nil }

// Write implements policy.Agent.
func (a *agent) Write(p policy.Principal, w policy.Write) error {
	if a.of(p.Name).readOnly {
		return policy.Denied("%s may only read", p.Name)
	}
	if title, _ := w.After.Field("title").AsString(); title == refusedTitle {
		return policy.Denied("the title says so")
	}
	return nil
}
