// oidc-client-ts, unmodified: sign in by redirect, refresh, call the API; what comes of it is written into the page.
const settings = JSON.parse(SETTINGS);
const manager = new oidc.UserManager({
  authority: settings.issuer, client_id: "spa", redirect_uri: `${location.origin}/`, response_type: "code",
  scope: "openid profile orders:read", resource: settings.api, loadUserInfo: true, automaticSilentRenew: false,
});
document.getElementById("sign-in").onclick = () => manager.signinRedirect();

async function arrive() {
  const user = await manager.signinRedirectCallback();
  history.replaceState({}, "", "/");
  const renewed = await manager.signinSilent(); // by the refresh token, with a request of the page itself
  const answer = await fetch(`${settings.api}/orders`, { headers: { Authorization: `Bearer ${renewed.access_token}` } });
  return {
    sub: user.profile.sub, name: user.profile.name, orders: await answer.json(),
    renewed: renewed.access_token !== user.access_token, rotated: renewed.refresh_token !== user.refresh_token,
  };
}

if (new URLSearchParams(location.search).has("state")) {
  arrive().then((told) => told, (error) => ({ error: String(error) })).then((told) => {
    document.getElementById("told").textContent = JSON.stringify(told);
  });
}
