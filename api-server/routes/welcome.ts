import type { FastifyInstance } from 'fastify'

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Carillon</title>
<h1>Carillon</h1>
<p>Send notifications, and read what became of each of them.</p>
<ul>
<li><a href="/docs/">API documentation</a>, and <a href="/openapi.json">the same as OpenAPI 3.1</a></li>
<li><a href="/readyz">Readiness</a></li>
<li><a href="/metrics">Metrics</a></li>
</ul>
`

/** A page at `/` for who opens the API in a browser. */
export function welcome(app: FastifyInstance): void {
  app.get('/', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(page),
  )
}
