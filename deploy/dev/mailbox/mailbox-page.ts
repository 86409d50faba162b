import { readFileSync } from 'node:fs'
import type { Caught } from './mailbox.ts'

/** The page at /dev/mailbox, made on the server: it can be read without script; script only adds what comes later. */

export const mailboxStyle = readFileSync(new URL('mailbox.css', import.meta.url), 'utf8')
export const mailboxScript = readFileSync(new URL('mailbox.client.js', import.meta.url), 'utf8')

/** @param boot tells this run of the server from an earlier one, so that an open page notices a restart */
export function renderMailbox(messages: readonly Caught[], boot: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mailbox · Carillon</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/dev/mailbox.css">
<script src="/dev/mailbox.js" defer></script>
</head>
<body data-boot="${escape(boot)}">
<header>
<h1>Mailbox</h1>
<p>What Carillon sent on this machine, caught before it could leave. Newest first.</p>
<nav><a href="/docs">API</a> <a href="/dev/mailbox.json">JSON</a></nav>
</header>
<main aria-live="polite">
${messages.map(renderCaught).join('\n')}
</main>
<p class="empty">Nothing yet. Send something: the terminal of <code>make run</code> shows three commands to try.</p>
</body>
</html>
`
}

/** One message, as a fragment of the page. */
export function renderCaught(caught: Caught): string {
  const { id, caughtAt, channel, to, from, title, text, html, data, messageId } = caught
  return `<article id="m${id}" class="${channel}">
<header><span class="channel">${channel}</span> <span class="to">${escape(to)}</span>${renderVerdict(caught)}<time datetime="${caughtAt}">${caughtAt.slice(11, 19)} UTC</time></header>
${title === undefined ? '' : `<h2>${escape(title)}</h2>`}
${renderBody(id, text, html)}
${data === undefined ? '' : `<pre class="data">${escape(typeof data === 'string' ? data : JSON.stringify(data, null, 2))}</pre>`}
<footer>${from === undefined ? '' : `from ${escape(from)}`} ${messageId === undefined ? '' : `<code>${escape(messageId)}</code>`}</footer>
</article>`
}

function renderBody(id: number, text: string | undefined, html: string | undefined): string {
  const words = text === undefined ? '' : `<pre>${escape(text)}</pre>`
  if (html === undefined) return words
  const frame = `<iframe src="/dev/mailbox/${id}.html" title="The mail as HTML" sandbox loading="lazy"></iframe>`
  return text === undefined ? frame : `${frame}\n<details><summary>As plain text</summary>${words}</details>`
}

function renderVerdict({ verified, problem }: Caught): string {
  if (verified === undefined) return ''
  return verified
    ? ' <span class="verdict good">signature verified</span>'
    : ` <span class="verdict bad">refused: ${escape(problem ?? 'signature does not hold')}</span>`
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}
