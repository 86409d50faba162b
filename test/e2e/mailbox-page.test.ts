import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Fastify from 'fastify'
import { expect, test } from 'vitest'
import { Mailbox } from '../../deploy/dev/mailbox/mailbox.ts'
import { mailboxRoutes } from '../../deploy/dev/mailbox/mailbox-routes.ts'
import { describePart } from '../harness/parts/describe-part.ts'

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

describePart('chromium', (chromium) => {
  test('the page shows every message, and a hostile mail runs and loads nothing', {
    timeout: 120_000,
  }, async () => {
    const asked: string[] = []
    const mailbox = new Mailbox({ now: Date.now })
    const app = Fastify()
    app.addHook('onRequest', async ({ url }) => void asked.push(url))
    await app.register(mailboxRoutes, { mailbox })
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    const attack = `<script>fetch('/ran-script')</script><img src="${url}/loaded-image" onerror="fetch('/ran-handler')"><style>@import '${url}/loaded-style';</style><iframe src="${url}/loaded-frame"></iframe>`
    mailbox.add({ channel: 'sms', to: '+15550100', text: `fine ${attack}` })
    mailbox.add({
      channel: 'email',
      to: 'ada@example.com',
      title: attack,
      text: 'hello',
      html: `<p>hello</p>${attack}`,
    })
    const profile = mkdtempSync(join(tmpdir(), 'carillon-chromium-'))
    try {
      const args = [
        ...flags,
        `--user-data-dir=${profile}`,
        '--timeout=100000',
        '--dump-dom',
        `${url}/dev/mailbox`,
      ]
      const { stdout: dom } = await promisify(execFile)(chromium, args, { timeout: 110_000 })
      expect(dom).toMatch(/<h2>&lt;script&gt;/)
      expect(dom).toMatch(/\+15550100[\s\S]*fine &lt;script&gt;/)
      expect(asked).toEqual(
        expect.arrayContaining([
          '/dev/mailbox',
          '/dev/mailbox.css',
          '/dev/mailbox.js',
          '/dev/mailbox/2.html',
        ]),
      )
      expect(asked.filter((path) => /ran|loaded/.test(path))).toEqual([])
    } finally {
      await app.close()
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    }
  })
})
