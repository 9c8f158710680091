# What several policies ask of a plan.
package lib.changes

# Resources that will exist with these values. Lists, not sets: a set would compare whole resources with each other.
kept := [change |
	some change in input.resource_changes
	is_kept(change.change.actions)
]

is_kept(actions) if "create" in actions

is_kept(actions) if "update" in actions

# Resources that will be gone, or gone and made again.
destroyed := [change |
	some change in input.resource_changes
	"delete" in change.change.actions
]

# Whether an attribute's value is only known after the apply.
unknown(change, attribute) if change.change.after_unknown[attribute] == true
