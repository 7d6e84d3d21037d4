"""What an instance shall hold: manifest -> plan -> apply, over any channel.

`manifest.load_manifest` reads and checks `seed.yaml`, `plan.make_plan` compares it with an instance,
`apply.apply` makes the difference go away.
"""
