// Asks the browser for a passkey, or has it make one, and sends the answer on in the form that stands in the page.
// Web Authentication Level 3, sections 5.1.3 and 5.1.4. Without this script the pages show nothing of passkeys.

const place = document.getElementById("passkey");
const form = document.getElementById("passkey-form");
const button = document.getElementById("passkey-button");
const failed = document.getElementById("passkey-failed");
const known = document.getElementById("passkey-known");
const FRESH_FOR = 240_000; // milliseconds, shorter than a challenge is good

const octets = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
const base64url = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

let waiting = null; // what ends the offer in the user name's suggestions

async function options(url) {
  const answer = await fetch(url, { headers: { accept: "application/json" }, cache: "no-store" });
  if (answer.redirected) {
    location.reload(); // the sign-in is not fresh any more: the page itself leads there
  }
  if (answer.redirected || !answer.ok) {
    throw new Error("no options");
  }
  const { publicKey, challenge } = await answer.json();
  const named = (credentials) => credentials?.map((one) => ({ ...one, id: octets(one.id) }));
  publicKey.challenge = octets(publicKey.challenge);
  if (publicKey.user) {
    publicKey.user.id = octets(publicKey.user.id);
    publicKey.excludeCredentials = named(publicKey.excludeCredentials);
  } else if (publicKey.allowCredentials) {
    publicKey.allowCredentials = named(publicKey.allowCredentials);
  }
  return { publicKey, challenge };
}

function send(credential, challenge) {
  const { clientDataJSON, attestationObject, authenticatorData, signature, userHandle } = credential.response;
  const response = { clientDataJSON: base64url(clientDataJSON) };
  if (attestationObject) {
    response.attestationObject = base64url(attestationObject);
    response.transports = credential.response.getTransports?.() ?? [];
  } else {
    response.authenticatorData = base64url(authenticatorData);
    response.signature = base64url(signature);
    response.userHandle = userHandle ? base64url(userHandle) : null;
  }
  const { id, rawId, type } = credential;
  form.elements.passkey.value = JSON.stringify({ id, rawId: base64url(rawId), type, response });
  form.elements.challenge.value = challenge;
  form.submit();
}

// In the suggestions of the user name, for as long as the page is open; the challenge is renewed before it is too old.
async function offer() {
  for (;;) {
    const mine = new AbortController();
    waiting = mine;
    let renewed = false;
    let timer = 0;
    try {
      const { publicKey, challenge } = await options(place.dataset.get);
      timer = setTimeout(() => {
        renewed = true;
        mine.abort();
      }, FRESH_FOR);
      if (mine.signal.aborted) {
        return;
      }
      send(await navigator.credentials.get({ publicKey, mediation: "conditional", signal: mine.signal }), challenge);
      return;
    } catch {
      if (!renewed) {
        return; // the button was pressed instead, or the browser wants no more of it
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

async function ask() {
  const create = place.dataset.create;
  waiting?.abort();
  button.disabled = true;
  failed.hidden = true;
  if (known) {
    known.hidden = true;
  }
  try {
    const { publicKey, challenge } = await options(create ?? place.dataset.get);
    send(await navigator.credentials[create ? "create" : "get"]({ publicKey }), challenge);
  } catch (error) {
    const told = known && error.name === "InvalidStateError" ? known : failed;
    told.hidden = false;
    button.disabled = false;
    offerIfPossible();
  }
}

async function offerIfPossible() {
  const suggestions = document.querySelector("input[autocomplete~='webauthn']");
  if (suggestions && (await PublicKeyCredential.isConditionalMediationAvailable?.())) {
    await offer();
  }
}

if (place && window.PublicKeyCredential && navigator.credentials) {
  place.hidden = false;
  document.getElementById("or")?.removeAttribute("hidden");
  document.getElementById("passkey-unsupported")?.remove();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  offerIfPossible();
}
