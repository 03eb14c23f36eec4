"""Verb: runs -> what an identity does; a call against it -> allow, ask or deny. Pure.

    window = Window(facts, tables)                      baseline.window
        facts: {"SERVER/TOOL": ToolFacts(...)}; tables: tuple[Table, ...]
    window.begin(run, now, asked)                       asked: Asked | None
    window.ask(run, (asked, ...))                       from now on; baseline.requested
    call = window.observe(run, id, at, tool, arguments) -> Observation, with origins
        tool: "SERVER/TOOL"; arguments: parsed JSON
    window.progress(run, at)                            -> Progress, before the call
    call = window.returned(run, call, arguments, result) -> Observation, with sizes; it
        went on and this came back (parsed JSON or text). Not called for a refused one

    held = Held.of(profile)                             baseline.held; built once
    judge(held, call, progress, envelope)               -> Judgement; baseline.judge

    state = fold(state, runs)                           baseline.fold; {} to begin with
        run: Run(id, agent, identity, person, started, written_by, envelope, calls)
    learn(state, subject, terms, now)                   -> Profile; baseline.learn
    cold(subject)                                       -> Profile that has learned
        nothing: it holds to origins alone

    accept(profile, (Accepted(...), ...))               -> Profile; baseline.amend
    renamed(profile, (("old", "new"), ...))             -> Profile; baseline.amend
    encode(profile), decode(data), digest(profile)      baseline.document
    stands(data, verified, expected)                    -> Profile; baseline.standing:
        refused where unsigned, stale, tampered, replayed, re-parented, expired
    compare(old, new)                                   -> consequences; baseline.diff

How strictly a profile is held to is its `stance`: `replace(profile,
stance=Stance(...))` (`msgspec.structs`). Nouns are in `model.behaviour` and `model.baseline`.
"""
