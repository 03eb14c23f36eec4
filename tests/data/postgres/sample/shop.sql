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
-- Name: shop; Type: DATABASE; Schema: -; Owner: migrator
--

CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C.UTF-8';


ALTER DATABASE shop OWNER TO migrator;

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
-- Name: sales; Type: SCHEMA; Schema: -; Owner: migrator
--

CREATE SCHEMA sales;


ALTER SCHEMA sales OWNER TO migrator;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: orders; Type: TABLE; Schema: sales; Owner: migrator
--

CREATE TABLE sales.orders (
    id integer,
    region text,
    total numeric,
    card text
);


ALTER TABLE sales.orders OWNER TO migrator;

--
-- Name: refunds; Type: TABLE; Schema: sales; Owner: migrator
--

CREATE TABLE sales.refunds (
    id integer,
    total numeric
);


ALTER TABLE sales.refunds OWNER TO migrator;

--
-- Name: refunds own_region; Type: POLICY; Schema: sales; Owner: migrator
--

CREATE POLICY own_region ON sales.refunds FOR SELECT TO readers USING ((total < (100)::numeric));


--
-- Name: refunds; Type: ROW SECURITY; Schema: sales; Owner: migrator
--

ALTER TABLE sales.refunds ENABLE ROW LEVEL SECURITY;

--
-- Name: SCHEMA sales; Type: ACL; Schema: -; Owner: migrator
--

GRANT USAGE ON SCHEMA sales TO readers;
GRANT USAGE ON SCHEMA sales TO app;


--
-- Name: TABLE orders; Type: ACL; Schema: sales; Owner: migrator
--

GRANT SELECT,INSERT ON TABLE sales.orders TO app;


--
-- Name: COLUMN orders.id; Type: ACL; Schema: sales; Owner: migrator
--

GRANT SELECT(id) ON TABLE sales.orders TO readers;


--
-- Name: COLUMN orders.region; Type: ACL; Schema: sales; Owner: migrator
--

GRANT SELECT(region) ON TABLE sales.orders TO readers;


--
-- Name: COLUMN orders.total; Type: ACL; Schema: sales; Owner: migrator
--

GRANT SELECT(total) ON TABLE sales.orders TO readers;


--
-- Name: TABLE refunds; Type: ACL; Schema: sales; Owner: migrator
--

GRANT SELECT ON TABLE sales.refunds TO readers;


--
-- PostgreSQL database dump complete
--

\unrestrict aB3

