"""Dumps and manifests with secrets, named in brackets."""

# A dump with secrets, named in brackets, in each statement that can hold one.
DUMP = """-- Dumped from database version 16.1
-- Dumped by pg_dump version 16.1
CREATE ROLE admin;
ALTER ROLE admin WITH LOGIN PASSWORD '<role-password>';
CREATE ROLE reader WITH LOGIN ENCRYPTED PASSWORD 'SCRAM-SHA-256$4096:<scram>';
ALTER ROLE reader SET my.token TO '<role-setting>';
GRANT reader TO admin;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (sslkey '<server>');
CREATE USER MAPPING FOR admin SERVER far OPTIONS (password '<user-mapping>');
CREATE SUBSCRIPTION s CONNECTION 'password=<subscription>' PUBLICATION p;
CREATE FUNCTION public.f() RETURNS text LANGUAGE sql SECURITY DEFINER
    AS $$ SELECT '<function-body>' $$;
CREATE TABLE public.t (id integer, key text DEFAULT '<column-default>');
ALTER TABLE public.t OWNER TO admin;
COMMENT ON TABLE public.t IS '<comment>';
CREATE VIEW public.v AS SELECT '<view>'::text AS key;
GRANT SELECT ON TABLE public.t TO reader;
COPY public.t (id, key) FROM stdin;
1\t<row>
\\.
INSERT INTO public.t VALUES (2, '<insert>');
GRANT <unread-grant> ON TO;
<unread-statement>;
"""

# Objects of a cluster with secrets, named in brackets, wherever one can be.
OBJECTS = """
apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: dev
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '<last-applied>'}
data: {password: <secret-data>}
stringData: {token: <secret-string>}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: dev}
data: {key: <config-map>}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: dev, annotations: {note: <annotation>}}
spec:
  template:
    spec:
      serviceAccountName: app
      containers:
        - name: c
          image: robustadev/holmes:1
          args: ["--token=<container-argument>"]
          env: [{name: KEY, value: <container-environment>}]
          envFrom: [{secretRef: {name: db}}]
---
apiVersion: kagent.dev/v1alpha2
kind: Agent
metadata: {name: helper, namespace: dev}
spec:
  type: Declarative
  description: <agent-description>
  declarative:
    systemMessage: <agent-prompt>
    tools:
      - type: McpServer
        mcpServer: {name: tools, kind: RemoteMCPServer}
        headersFrom: [{name: Authorization, value: <agent-header>}]
---
apiVersion: kagent.dev/v1alpha2
kind: RemoteMCPServer
metadata: {name: tools, namespace: dev}
spec: {url: "http://u:<server-userinfo>@tools.dev/mcp?key=<server-query>"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: broken, namespace: dev}
roleRef: <broken-binding>
---
kind: [<cut-manifest>
"""

WORKFLOW = """\
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    if: github.event.head_commit.message == '<workflow-condition>'
    strategy: {matrix: {key: [<workflow-matrix>]}}
    env:
      TOKEN: <workflow-variable>
      KUBECONFIG: <workflow-kubeconfig>
    steps:
      - uses: azure/k8s-set-context@v4
        with: {kubeconfig: <workflow-kubeconfig-input>}
      - run: curl -H 'Authorization: Bearer <workflow-header>' https://x.example
"""
