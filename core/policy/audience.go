package policy

// Audiences is an agent that can tell which principals see the same. Live results are shared
// between these, and with an agent that is not Audiences between nobody.
type Audiences interface {
	Agent
	// Audience returns a name for those whom Narrow and Read answer as they answer p, in
	// every collection and for as long as p is served; ok is false where there is no telling.
	Audience(p Principal) (name string, ok bool)
}

// AudienceOf returns the audience that p belongs to; ok is false if nobody may be shown
// what was read for p.
func AudienceOf(a Agent, p Principal) (name string, ok bool) {
	if IsPermissive(a) {
		return "", true
	}
	if known, can := a.(Audiences); can {
		return known.Audience(p)
	}
	return "", false
}
