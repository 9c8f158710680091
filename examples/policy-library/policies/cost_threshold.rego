# What costs much more is looked at, and what costs far more is not done.
package main

monthly_delta := to_number(input.xcf.cost.monthlyDelta)

deny_cost contains {"msg": msg, "monthly": monthly_delta} if {
	monthly_delta > data.settings.cost.deny_above
	msg := sprintf("costs %v %s a month more, at most %v are allowed", [
		monthly_delta,
		input.xcf.cost.currency,
		data.settings.cost.deny_above,
	])
}

tighten contains {"gate": "forced", "msg": msg} if {
	monthly_delta > data.settings.cost.approve_above
	msg := sprintf("costs %v %s a month more", [monthly_delta, input.xcf.cost.currency])
}
