"""A configuration in which every key of federation stands."""

ISSUERS = """\
  cluster:
    iss: https://kubernetes.default.svc
    audience: https://sts.example
    keys: discovery
    tokens: [jwt]
    max_ttl: 15m
    jti: required
    private: true
    ca: ca.pem
    review: {url: "https://10.0.0.1", ca: ca.pem, token: token}
  people:
    iss: https://login.example
    audience: https://sts.example
    keys: https://login.example/keys
    tokens: [id-token, id-jag]
    person: email
  domain:
    iss: spiffe://example.org
    audience: https://sts.example
    keys: bundle.json
    tokens: [jwt-svid]
"""

REST = """\
sts:
  url: https://sts.example
  state: sts
  database: CONTROL
  admins: [0, 1000]
  events: [https://receiver.example/events]
  events_ca: ca.pem
  passphrase: keys.pass
  terminator: {field: Client-Cert, uid: 33}
  listen:
    - unix: sts.sock
    - address: 127.0.0.1:8472
      hosts: [sts.example]
      origins: []
      url: https://sts.example
      tls: {certificate: cert.pem, key: key.pem, client_ca: ca.pem}
rules:
  - id: pods
    issuer: cluster
    match:
      sub: system:serviceaccount:team:bot
      kubernetes.io: {serviceaccount: {uid: "5f6c"}}
    match_glob: {kubernetes.io: {pod: {name: "bot-*"}}}
    agent: agent:declared/invoices
    grants:
      - {audience: "https://mcp.example", scopes: [read], ttl: 5m, bind: mtls, gives: access-token}
    delegate_to: [agent:declared/reporter]
    on_behalf_of: [people]
  - id: unit
    unix: {uid: 0, gid: 5, unit: a.service, container: c0ffee}
    root: true
    agent: agent:declared/invoices
    grants: [{audience: "https://mcp.example", ttl: 90}]
  - id: laptop
    launched: {started_by: 1000, person: Ana@example.com, runs_as: 1500, program: /bin/agent}
    agent: agent:declared/invoices
    grants: [{audience: "https://login.example", gives: id-jag}]
"""

DECISIONS = """\
decisions:
  url: https://pdp.example
  state: decisions
  audience: https://pdp.example
  listen:
    - unix: pdp.sock
    - address: 127.0.0.1:8473
      hosts: [pdp.example]
      origins: []
      url: https://pdp.example
      tls: {certificate: cert.pem, key: key.pem, client_ca: ca.pem}
  ext_authz:
    - unix: envoy.sock
    - address: 127.0.0.1:8474
      hosts: [pdp.example]
      origins: []
      url: https://pdp.example
      tls: {certificate: cert.pem, key: key.pem, client_ca: ca.pem}
  callers:
    - {issuer: corp, sub: pep}
    - {unix: {uid: 0, gid: 5, unit: a.service}, servers: [files]}
"""

FEDERATION = "issuers:\n" + ISSUERS + REST

WEB = """\
web:
  url: https://answerable.example
  listen: [{address: "127.0.0.1:0", origins: [], tls: {certificate: a, key: b}}]
  state: web
  audience: https://answerable.example/api
  local: {person: ana@example.com}
  login:
    issuer: people
    client_id: answerable-web
    client_secret_env: WEB_SECRET
    scopes: [groups]
    roles: {claim: groups, map: {security: [admin, investigator], "all staff": viewer}}
    default: [owner]
"""

SOURCES = """\
sources: [home:/home/ana, {source: "aws-org:role/AnswerableRead", at: ["02:00"]}]
schedule: {every: 1h}
collector:
  listen: [{address: "127.0.0.1:8474", tls: {certificate: c, key: k}}]
  receive: [{address: "127.0.0.1:4318", tls: {certificate: c, key: k}}]
  tiles: [{address: "127.0.0.1:8477", tls: {certificate: c, key: k}}]
  maintenance: [{task: "checkpoint:git:notes", every: 1h}]
  senders:
    prod: {source: k8s-audit, cluster: prod, token_sha256: ["%s"], silent_after: 10m}
""" % ("a" * 64)
