// Owner keys. They are created and stored in this browser for this origin and cannot be
// exported: not even the server has them. The page shows exactly the signed statement.
// A security key (WebAuthn) is another such key: it signs the SHA-256 of the same bytes.

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
  const jwk = raw.length === 32
    ? `{"crv":"Ed25519","kty":"OKP","x":"${base64url(raw)}"}`
    : `{"crv":"P-256","kty":"EC","x":"${base64url(raw.slice(1, 33))}","y":"${base64url(raw.slice(33))}"}`;
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

async function sign(record, type, payload) {
  const signed = pae(type, payload);
  if (record.pair) return crypto.subtle.sign("Ed25519", record.pair.privateKey, signed);
  return bytes(JSON.stringify(await asserted(record.credential, signed)));
}

// Security keys.

const hasSecurityKeys = () =>
  Boolean(globalThis.PublicKeyCredential && globalThis.crypto?.subtle && navigator.credentials);

async function asserted(id, signed) {
  const { response } = await navigator.credentials.get({
    publicKey: {
      challenge: await crypto.subtle.digest("SHA-256", signed),
      allowCredentials: [{ type: "public-key", id }],
      userVerification: "required",
    },
  });
  return {
    authenticatorData: base64url(response.authenticatorData),
    clientDataJSON: base64url(response.clientDataJSON),
    signature: base64url(response.signature),
  };
}

async function securityKey(person, store) {
  const user = await crypto.subtle.digest("SHA-256", bytes(`${store} ${person}`));
  const created = await navigator.credentials.create({
    publicKey: {
      rp: { name: "answerable" },
      user: { id: user, name: person, displayName: person },
      challenge: crypto.getRandomValues(new Uint8Array(32)), // the proof below is what counts
      pubKeyCredParams: [{ type: "public-key", alg: -7 }],
      authenticatorSelection: { userVerification: "required", residentKey: "discouraged" },
      attestation: "none",
    },
  });
  const spki = created.response.getPublicKey();
  const key = await crypto.subtle.importKey(
    "spki", spki, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"],
  );
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", key));
  const credential = new Uint8Array(created.rawId);
  return { id: await nameOf(raw), person, store, raw, credential, made: Date.now() };
}

async function works() {
  if (!globalThis.crypto?.subtle || !globalThis.indexedDB) return false;
  try {
    await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    return true;
  } catch {
    return false;
  }
}

// Keys that this browser can use now, those of security keys among them.
async function usable() {
  if (!globalThis.indexedDB) return [];
  const [ed25519, held] = [await works(), await all()];
  return held.filter((record) => (record.pair ? ed25519 : hasSecurityKeys()));
}

// One button for the first key of this browser, and one for the first security key.
function chosen(held, button) {
  const kinds = [held.find((each) => each.pair), held.find((each) => !each.pair)];
  const choices = new Map();
  for (const record of kinds.filter(Boolean)) {
    const own = choices.size ? button.cloneNode(true) : button;
    if (!record.pair) {
      own.textContent = button.textContent.replace("the key in this browser", "your security key");
    }
    if (choices.size) button.after(" ", own);
    own.disabled = false;
    choices.set(own, record);
  }
  return choices;
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
  const held = (await usable()).sort((a, b) => b.made - a.made);
  if (!held.length) {
    says.textContent = "no owner key is in this browser";
    return;
  }
  const choices = chosen(held, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const record = choices.get(event.submitter) ?? choices.get(button);
    for (const each of choices.keys()) each.disabled = true;
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
      for (const each of choices.keys()) each.disabled = false;
    }
  });
}

// A statement on its page.

async function signing(part) {
  const says = $("[data-signing-says]", part);
  const button = $("button", part);
  const drafts = $$("[data-draft]", part);
  const held = new Map((await usable()).map((record) => [record.id, record]));
  for (const { dataset } of drafts) {
    // A security key signs in any browser; the page names its credential.
    if (held.has(dataset.key) || dataset.origin !== location.origin) continue;
    if (!dataset.credential || !hasSecurityKeys()) continue;
    const credential = unbase64(dataset.credential.replaceAll("-", "+").replaceAll("_", "/"));
    held.set(dataset.key, { id: dataset.key, credential });
  }
  const mine = drafts.map((each) => held.get(each.dataset.key)).filter(Boolean);
  if (!mine.length) {
    says.textContent = !(await works())
      ? "this browser makes no Ed25519 signatures here: use a security key or the command line"
      : "your key is not in this browser: use the command line, or ";
    const link = Object.assign(document.createElement("a"), { href: "/keys" });
    link.textContent = "make one under Keys";
    says.append(link);
    return;
  }
  const choices = chosen(mine, button);
  // One statement of the key, or several of one page.
  const of = (record) => drafts.filter((each) => each.dataset.key === record.id);
  const show = (record) => {
    for (const each of drafts) each.hidden = each.dataset.key !== record.id;
  };
  show(choices.get(button));
  says.textContent = "";
  $("form", part).addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const record = choices.get(event.submitter) ?? choices.get(button);
    show(record);
    for (const each of choices.keys()) each.disabled = true;
    try {
      const signed = [];
      for (const each of of(record)) {
        const payload = unbase64(each.dataset.payload);
        signed.push(await enveloped(record, part.dataset.type, payload));
      }
      const { ids, envelope, envelopes } = form.elements;
      if (ids) ids.value = of(record).map((each) => each.dataset.id).join("\n");
      (envelopes ?? envelope).value = signed.join("\n");
      form.submit();
    } catch (error) {
      says.textContent = `this browser did not sign (${error.name})`;
      for (const each of choices.keys()) each.disabled = false;
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
      const own = (await all()).filter(
        (each) => each.pair && each.person === person && each.store === store,
      );
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

async function enrollingSecurityKey(form) {
  const says = $("[data-enrolling-says]", form);
  const button = $("button", form);
  if (!hasSecurityKeys()) {
    says.textContent = "this browser uses no security keys here (it needs https or localhost)";
    return;
  }
  const { person, store } = form.dataset;
  button.disabled = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      says.textContent = "touch the security key, twice: to create the key, and to prove it";
      const record = await securityKey(person, store);
      const said = JSON.stringify({ key: record.id, person, store });
      form.elements.proof.value = base64(await sign(record, POSSESSION, bytes(said)));
      form.elements.public.value = base64(record.raw);
      form.elements.credential.value = base64(record.credential);
      await keep(record);
      form.submit();
    } catch (error) {
      says.textContent = `no security key was enrolled (${error.name})`;
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
for (const form of $$("form[data-security-key]")) enrollingSecurityKey(form);
for (const form of $$("form[data-key-sign-in]")) signingIn(form);
marking($$("[data-owner-key]"));
