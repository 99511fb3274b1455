package ankql

// Limits of a selection. Parse and Check refuse what exceeds them, so that whatever a
// peer or a person sends costs a bounded amount of work, and so that every checked
// selection can be sent.
const (
	MaxText       = 128 << 10 // bytes of text, also of the text that Text returns
	MaxDepth      = 128       // parentheses and operators inside each other
	MaxItems      = 10_000    // values in one list
	MaxValues     = 20_000    // values in a selection altogether
	MaxSteps      = 32        // steps of a path
	MaxPath       = 1024      // bytes of a path
	MaxReferences = 64        // references that are followed: whoever keeps a result true keeps up with each
	MaxColumns    = 64        // items of a list with a property among them: it is printed as a disjunction
	MaxOrder      = 32        // keys of an ordering
	MaxPattern    = 4096      // bytes of a LIKE pattern
	MaxLimit      = 1 << 30   // rows of a LIMIT: more than any result holds, with room to count on from it
)

// maxInline is the longest text that is printed as a literal, and the longest list whose
// items are; what is longer goes to the parameters.
const (
	maxInlineText = 256
	maxInlineList = 64
)
