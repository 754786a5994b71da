// Checks a predict request's JSON before TensorFlow Serving parses it. See nginx.conf.

// {"instances": [{"images": [[[[0, 0, 0, 0]]]]}]} has 6 levels.
const MAX_DEPTH = 8;
// Characters outside of strings. Files are strings, in base64; numbers of several pictures fit.
const MAX_CHARACTERS = 2000000;

const QUOTE = 0x22, BACKSLASH = 0x5c;
const OPENING = [0x5b, 0x7b], CLOSING = [0x5d, 0x7d];
const SPACES = [0x20, 0x09, 0x0a, 0x0d];

// Returns the place of the quote that closes a string, or -1.
function endOfString(body, start) {
    let end = body.indexOf(QUOTE, start);
    while (end >= 0) {
        let escapes = end - 1;
        while (body[escapes] === BACKSLASH && escapes >= start) {
            escapes--;
        }
        if ((end - 1 - escapes) % 2 === 0) {
            return end;
        }
        end = body.indexOf(QUOTE, end + 1);
    }
    return -1;
}

// Returns why a body is refused, or null.
function fault(body) {
    let depth = 0, characters = 0, previous = 0;
    for (let i = 0; i < body.length; i++) {
        const character = body[i];
        if (SPACES.includes(character)) {
            continue;
        }
        if (++characters > MAX_CHARACTERS) {
            return 'expected at most ' + MAX_CHARACTERS + ' characters outside of strings; received more';
        }
        if (character === QUOTE) {
            i = endOfString(body, i + 1);
            if (i < 0) {
                return 'expected JSON; received a string without an end';
            }
        } else if (OPENING.includes(character)) {
            if (++depth > MAX_DEPTH) {
                return 'expected at most ' + MAX_DEPTH + ' levels of JSON; received more';
            }
        } else if (CLOSING.includes(character)) {
            if (OPENING.includes(previous)) {
                return 'expected lists with items; received an empty one';
            }
            depth--;
        }
        previous = character;
    }
    return null;
}

function predict(r) {
    const body = r.requestBuffer;
    const words = body && body.length ? fault(body) : 'expected a body; received none';
    if (words) {
        r.headersOut['Content-Type'] = 'application/json';
        r.return(400, JSON.stringify({error: words}) + '\n');
        return;
    }
    r.internalRedirect('@checked');
}

export default {predict};
