"""Learn an agent's normal behaviour from runs, and judge each call against it. Pure.

  window = Window(facts, tables)                      baseline.window
    facts: {"SERVER/TOOL": ToolFacts(...)}; tables: tuple[Table, ...]
  window.begin(run, now, asked)                       asked: Asked | None
  window.ask(run, (asked, ...))                       replaces the requests; baseline.requested
  call = window.observe(run, id, at, tool, arguments) -> Observation, with origins
    tool: "SERVER/TOOL"; arguments: parsed JSON
  window.progress(run, at)                            -> Progress, before the call
  call = window.returned(run, call, arguments, result) -> Observation, with sizes;
    result: parsed JSON or text. Not called for a refused call
  held = Held.of(profile)                             baseline.held; built once
  judge(held, call, progress, envelope)               -> Judgement; baseline.judge
  state = fold(state, runs)                           baseline.fold; {} to begin with
    run: Run(id, agent, identity, person, started, written_by, envelope, calls)
  learn(state, subject, terms, now)                   -> Profile; baseline.learn
  cold(subject)                                       -> Profile without learned behaviour:
    only origins are enforced
  encode(profile), decode(data), digest(profile)      baseline.document
  stands(data, verified, expected)                    -> Profile; baseline.standing:
    rejects unsigned, stale, tampered, replayed, re-parented and expired profiles
  compare(old, new)                                   -> consequences; baseline.diff

The `stance` of a profile sets how strictly it is enforced: `replace(profile,
stance=Stance(...))` (`msgspec.structs`). Types are in `model.behaviour` and
`model.baseline`.
"""
