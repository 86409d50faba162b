import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'

const style = readFileSync(new URL('welcome.css', import.meta.url), 'utf8')
const policy =
  "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export interface Link {
  href: string
  text: string
}

const ownLinks: readonly Link[] = [
  { href: '/docs/', text: 'The API: read about it, and try it' },
  { href: '/openapi.json', text: 'The same as OpenAPI 3.1' },
  { href: '/readyz', text: 'Readiness' },
  { href: '/metrics', text: 'Metrics' },
]

/** A page at `/` for who opens the API in a browser. @param links what else this process serves; neither text nor address needs escaping */
export function welcome(app: FastifyInstance, { links }: { links: readonly Link[] }): void {
  const items = [...links, ...ownLinks].map(({ href, text }) => `<li><a href="${href}">${text}</a></li>`)
  const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Carillon</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/welcome.css">
</head>
<body>
<h1>Carillon</h1>
<p>Send notifications, and read what became of each of them.</p>
<ul>
${items.join('\n')}
</ul>
</body>
</html>
`
  app.get('/', { schema: { hide: true } }, async (_request, reply) =>
    reply.header('content-security-policy', policy).type('text/html; charset=utf-8').send(page),
  )
  app.get('/welcome.css', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/css; charset=utf-8').send(style),
  )
}
