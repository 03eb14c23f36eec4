// Owner keys. They are created and stored in this browser for this origin and cannot be
// exported: not even the server has them. The page shows exactly the signed statement.

const BASE = "answerable-owner-keys";
const SHELF = "keys";
const SIGN_IN = "application/vnd.answerable.sign-in.v1+json";
const POSSESSION = "application/vnd.answerable.key-possession.v1+json";

const $ = (what, where = document) => where.querySelector(what);
const $$ = (what, where = document) => [...where.querySelectorAll(what)];
const bytes = (text) => new TextEncoder().encode(text);
const unbase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const base64 = (data) => btoa(String.fromCharCode(...new Uint8Array(data)));
const base64url = (data) =>
  base64(data).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

// The shelf.

function settled(request) {
  return new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

function opened() {
  const request = indexedDB.open(BASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(SHELF, { keyPath: "id" });
  return settled(request);
}

async function shelf(mode) {
  return (await opened()).transaction(SHELF, mode).objectStore(SHELF);
}

const all = async () => settled((await shelf("readonly")).getAll());
const keep = async (record) => settled((await shelf("readwrite")).put(record));
const forget = async (id) => settled((await shelf("readwrite")).delete(id));

// Keys and signatures.

async function nameOf(raw) {
  // RFC 7638, as the store names keys.
  const jwk = `{"crv":"Ed25519","kty":"OKP","x":"${base64url(raw)}"}`;
  return `owner-key:${base64url(await crypto.subtle.digest("SHA-256", bytes(jwk)))}`;
}

async function made(person, store) {
  const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const record = { id: await nameOf(raw), person, store, raw, pair, made: Date.now() };
  await keep(record);
  return record;
}

function pae(type, payload) {
  // DSSE v1: what is signed is the type with the payload.
  const kind = bytes(type);
  const parts = [
    bytes(`DSSEv1 ${kind.length} `),
    kind,
    bytes(` ${payload.length} `),
    payload,
  ];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const sign = (record, type, payload) =>
  crypto.subtle.sign("Ed25519", record.pair.privateKey, pae(type, payload));

async function works() {
  if (!globalThis.crypto?.subtle || !globalThis.indexedDB) return false;
  try {
    await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    return true;
  } catch {
    return false;
  }
}

async function enveloped(record, type, payload) {
  const sig = await sign(record, type, payload);
  return JSON.stringify({
    payload: base64(payload),
    payloadType: type,
    signatures: [{ keyid: record.id, sig: base64(sig) }],
  });
}

// Signing in again, with a key that was made here.

async function signingIn(form) {
  const says = $("[data-key-sign-in-says]", form);
  const button = $("button", form);
  const held = (await works()) ? await all() : [];
  const record = held.sort((a, b) => b.made - a.made)[0];
  if (!record) {
    says.textContent = "no owner key is in this browser";
    return;
  }
  button.disabled = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const said = JSON.stringify({
        address: location.origin,
        challenge: form.dataset.keySignIn,
        key: record.id,
        store: record.store,
      });
      form.elements.envelope.value = await enveloped(record, SIGN_IN, bytes(said));
      form.submit();
    } catch (error) {
      says.textContent = `this browser did not sign (${error.name})`;
      button.disabled = false;
    }
  });
}

// A statement on its page.

async function signing(part) {
  const says = $("[data-signing-says]", part);
  const button = $("button", part);
  const drafts = $$("[data-draft]", part);
  if (!(await works())) {
    says.textContent = "this browser makes no Ed25519 signatures here: use the command line";
    return;
  }
  const held = new Map((await all()).map((record) => [record.id, record]));
  const draft = drafts.find((each) => held.has(each.dataset.key));
  if (!draft) {
    says.textContent = "your key is not in this browser: make one under Keys, or use the command line";
    return;
  }
  // One statement of the key, or several of one page.
  const own = drafts.filter((each) => each.dataset.key === draft.dataset.key);
  for (const each of drafts) each.hidden = !own.includes(each);
  says.textContent = "";
  button.disabled = false;
  $("form", part).addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    button.disabled = true;
    try {
      const record = held.get(draft.dataset.key);
      const signed = [];
      for (const each of own) {
        const payload = unbase64(each.dataset.payload);
        signed.push(await enveloped(record, part.dataset.type, payload));
      }
      const { ids, envelope, envelopes } = form.elements;
      if (ids) ids.value = own.map((each) => each.dataset.id).join("\n");
      (envelopes ?? envelope).value = signed.join("\n");
      form.submit();
    } catch (error) {
      says.textContent = `this browser did not sign (${error.name})`;
      button.disabled = false;
    }
  });
}

// The page of keys.

async function enrolling(form) {
  const says = $("[data-enrolling-says]", form);
  const button = $("button", form);
  if (!(await works())) {
    says.textContent = "this browser makes no Ed25519 keys here: use the command line";
    return;
  }
  const { person, store } = form.dataset;
  const enrolled = new Set($$("[data-owner-key]").map((row) => row.dataset.ownerKey));
  button.disabled = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const own = (await all()).filter((each) => each.person === person && each.store === store);
      // One that was made and never enrolled is taken before another is made.
      const record = own.find((each) => !enrolled.has(each.id)) ?? (await made(person, store));
      const said = JSON.stringify({ key: record.id, person, store });
      form.elements.public.value = base64(record.raw);
      form.elements.proof.value = base64(await sign(record, POSSESSION, bytes(said)));
      form.submit();
    } catch (error) {
      says.textContent = `this browser made no key (${error.name})`;
      button.disabled = false;
    }
  });
}

async function marking(rows) {
  if (!globalThis.indexedDB) return;
  const held = new Set((await all()).map((record) => record.id));
  for (const row of rows) {
    const here = held.has(row.dataset.ownerKey);
    $("[data-here]", row).textContent = here ? "in this browser" : "";
    const button = $("[data-forget]", row);
    if (!button || !here) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await forget(row.dataset.ownerKey);
      $("[data-here]", row).textContent = "forgotten here";
      button.hidden = true;
    });
  }
}

for (const part of $$("[data-signing]")) signing(part);
for (const form of $$("form[data-enrolling]")) enrolling(form);
for (const form of $$("form[data-key-sign-in]")) signingIn(form);
marking($$("[data-owner-key]"));
