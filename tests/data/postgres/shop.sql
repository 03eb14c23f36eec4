--
-- PostgreSQL database dump
--

\restrict aB3

-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: shop; Type: DATABASE; Schema: -; Owner: alice
--

CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C.UTF-8';


ALTER DATABASE shop OWNER TO alice;

\unrestrict aB3
\connect shop
\restrict aB3

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: s; Type: SCHEMA; Schema: -; Owner: alice
--

CREATE SCHEMA s;


ALTER SCHEMA s OWNER TO alice;

--
-- Name: dom; Type: DOMAIN; Schema: s; Owner: alice
--

CREATE DOMAIN s.dom AS integer;


ALTER DOMAIN s.dom OWNER TO alice;

--
-- Name: ty; Type: TYPE; Schema: s; Owner: alice
--

CREATE TYPE s.ty AS (
	a integer,
	b text
);


ALTER TYPE s.ty OWNER TO alice;

--
-- Name: f(integer); Type: FUNCTION; Schema: s; Owner: alice
--

CREATE FUNCTION s.f(a integer DEFAULT 1, OUT o text) RETURNS text
    LANGUAGE sql SECURITY DEFINER
    AS $$ select 'x;y' $$;


ALTER FUNCTION s.f(a integer, OUT o text) OWNER TO alice;

--
-- Name: p(integer); Type: PROCEDURE; Schema: s; Owner: alice
--

CREATE PROCEDURE s.p(IN a integer)
    LANGUAGE sql
    AS $$select 1$$;


ALTER PROCEDURE s.p(IN a integer) OWNER TO alice;

--
-- Name: agg(integer); Type: AGGREGATE; Schema: s; Owner: alice
--

CREATE AGGREGATE s.agg(integer) (
    SFUNC = int4pl,
    STYPE = integer
);


ALTER AGGREGATE s.agg(integer) OWNER TO alice;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: t; Type: TABLE; Schema: public; Owner: alice
--

CREATE TABLE public.t (
    a integer,
    b text
);


ALTER TABLE public.t OWNER TO alice;

--
-- Name: Odd t; Type: TABLE; Schema: s; Owner: alice
--

CREATE TABLE s."Odd t" (
    id integer NOT NULL,
    n integer NOT NULL,
    x text
);


ALTER TABLE s."Odd t" OWNER TO alice;

--
-- Name: Odd t_id_seq; Type: SEQUENCE; Schema: s; Owner: alice
--

CREATE SEQUENCE s."Odd t_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE s."Odd t_id_seq" OWNER TO alice;

--
-- Name: Odd t_id_seq; Type: SEQUENCE OWNED BY; Schema: s; Owner: alice
--

ALTER SEQUENCE s."Odd t_id_seq" OWNED BY s."Odd t".id;


--
-- Name: Odd t_n_seq; Type: SEQUENCE; Schema: s; Owner: alice
--

ALTER TABLE s."Odd t" ALTER COLUMN n ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME s."Odd t_n_seq"
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: mv; Type: MATERIALIZED VIEW; Schema: s; Owner: alice
--

CREATE MATERIALIZED VIEW s.mv AS
 SELECT 1 AS c
  WITH NO DATA;


ALTER TABLE s.mv OWNER TO alice;

--
-- Name: v; Type: VIEW; Schema: s; Owner: alice
--

CREATE VIEW s.v AS
 SELECT 1 AS one,
    2 AS two;


ALTER TABLE s.v OWNER TO alice;

--
-- Name: Odd t id; Type: DEFAULT; Schema: s; Owner: alice
--

ALTER TABLE ONLY s."Odd t" ALTER COLUMN id SET DEFAULT nextval('s."Odd t_id_seq"'::regclass);


--
-- Name: Odd t Odd t_pkey; Type: CONSTRAINT; Schema: s; Owner: alice
--

ALTER TABLE ONLY s."Odd t"
    ADD CONSTRAINT "Odd t_pkey" PRIMARY KEY (id);


--
-- Name: t p1; Type: POLICY; Schema: public; Owner: alice
--

CREATE POLICY p1 ON public.t FOR SELECT TO readers USING ((b = CURRENT_USER));


--
-- Name: t p2; Type: POLICY; Schema: public; Owner: alice
--

CREATE POLICY p2 ON public.t AS RESTRICTIVE USING (true) WITH CHECK ((a > 1));


--
-- Name: t; Type: ROW SECURITY; Schema: public; Owner: alice
--

ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;

--
-- Name: p; Type: PUBLICATION; Schema: -; Owner: postgres
--

CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert, update, delete, truncate');


ALTER PUBLICATION p OWNER TO postgres;

--
-- Name: DATABASE shop; Type: ACL; Schema: -; Owner: alice
--

REVOKE CONNECT,TEMPORARY ON DATABASE shop FROM PUBLIC;
GRANT TEMPORARY ON DATABASE shop TO PUBLIC;
GRANT CONNECT ON DATABASE shop TO readers;


--
-- Name: SCHEMA s; Type: ACL; Schema: -; Owner: alice
--

GRANT USAGE ON SCHEMA s TO readers;


--
-- Name: TYPE ty; Type: ACL; Schema: s; Owner: alice
--

REVOKE ALL ON TYPE s.ty FROM PUBLIC;


--
-- Name: FUNCTION f(a integer, OUT o text); Type: ACL; Schema: s; Owner: alice
--

REVOKE ALL ON FUNCTION s.f(a integer, OUT o text) FROM PUBLIC;
GRANT ALL ON FUNCTION s.f(a integer, OUT o text) TO readers;


--
-- Name: COLUMN t.a; Type: ACL; Schema: public; Owner: alice
--

GRANT SELECT(a),UPDATE(a) ON TABLE public.t TO readers WITH GRANT OPTION;
SET SESSION AUTHORIZATION readers;
GRANT SELECT(a) ON TABLE public.t TO bob;
RESET SESSION AUTHORIZATION;


--
-- Name: COLUMN t.b; Type: ACL; Schema: public; Owner: alice
--

GRANT UPDATE(b) ON TABLE public.t TO readers WITH GRANT OPTION;


--
-- Name: TABLE "Odd t"; Type: ACL; Schema: s; Owner: alice
--

REVOKE ALL ON TABLE s."Odd t" FROM alice;
GRANT INSERT,REFERENCES,DELETE,TRIGGER,TRUNCATE,UPDATE ON TABLE s."Odd t" TO alice;


--
-- Name: TABLE mv; Type: ACL; Schema: s; Owner: alice
--

GRANT SELECT ON TABLE s.mv TO bob;


--
-- Name: DEFAULT PRIVILEGES FOR TABLES; Type: DEFAULT ACL; Schema: s; Owner: alice
--

ALTER DEFAULT PRIVILEGES FOR ROLE alice IN SCHEMA s GRANT SELECT ON TABLES  TO bob;


--
-- PostgreSQL database dump complete
--

\unrestrict aB3

