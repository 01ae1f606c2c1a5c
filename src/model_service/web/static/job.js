// Follows a job: shows the server's page anew every two seconds, until the job has ended.
const PAUSE_MILLISECONDS = 2000;

async function follow() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!response?.ok) return; // the service restarts, or the job is gone: what was shown stays
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const shown = page.getElementById("job");
  if (shown) document.getElementById("job").replaceWith(shown);
  else location.reload(); // it has ended
}

setInterval(follow, PAUSE_MILLISECONDS);
