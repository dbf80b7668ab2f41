"use strict";

const query = new URLSearchParams(location.search);
const token = query.get("token");
const uid = query.get("uid");
// The token is to stay neither in the address bar nor in the history.
history.replaceState(null, "", location.pathname);

const form = document.getElementById("ask");
const said = document.getElementById("said");
const fields = [...form.querySelectorAll("input[name]")];
let busy = false;

if (token) {
    form.hidden = false;
} else {
    show("cut");
}

// Programs that look through mails open links too: nothing is sent before somebody asks for it.
form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!busy && filled()) {
        send();
    }
});

document.getElementById("shown")?.addEventListener("change", (event) => {
    for (const field of fields) {
        field.type = event.target.checked ? "text" : "password";
    }
});

function filled() {
    say("");
    const [first, second] = fields;
    const wrong = {};
    if (first && !first.value) {
        wrong[first.name] = ["Enter a new password."];
    } else if (second && !second.value) {
        wrong[second.name] = ["Enter the new password again."];
    } else if (second && first.value !== second.value) {
        wrong[second.name] = ["The two passwords are not the same."];
    }
    return tell(wrong);
}

/** Shows what is wrong with each field, and goes to the first of them; whether there is none. */
function tell(wrong) {
    let none = true;
    for (const field of fields) {
        const texts = wrong[field.name] ?? [];
        document.getElementById(`${field.name}_wrong`).textContent = texts.join(" ");
        field.setAttribute("aria-invalid", String(texts.length > 0));
        if (texts.length > 0 && none) {
            none = false;
            field.focus();
        }
    }
    return none;
}

async function send() {
    wait(true);
    try {
        const answer = await fetch(root() + form.dataset.path, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ token, uid, ...Object.fromEntries(new FormData(form)) }),
            cache: "no-store",
            credentials: "omit",
            redirect: "error",
            signal: AbortSignal.timeout(30_000),
        });
        if (answer.ok) {
            show("done");
        } else {
            refused(await answer.json());
        }
    } catch {
        say("The service could not be reached. Look whether you are online, then try again.");
    } finally {
        wait(false);
    }
}

/** What comes before our paths, where a proxy serves us below a path of its own. */
function root() {
    return location.pathname.slice(0, location.pathname.lastIndexOf("/account/"));
}

/** What a problem document (RFC 9457) says. */
function refused(problem) {
    if (problem.token) {
        show("dead");
    } else if (!tell(problem)) {
        say("");
    } else {
        say(`That did not work. ${problem.detail}`);
    }
}

/** Ends with what that template says. */
function show(template) {
    const end = document.getElementById(template).content.cloneNode(true);
    const heading = end.querySelector("h1");
    document.title = document.title.replace(/^.*(?= - )/, heading.textContent);
    document.getElementById("view").replaceChildren(end);
    say("");
    heading.tabIndex = -1;
    heading.focus();
}

function wait(waiting) {
    busy = waiting;
    form.setAttribute("aria-busy", String(waiting));
    if (waiting) {
        say("One moment…");
    }
}

function say(text) {
    said.textContent = text;
}
