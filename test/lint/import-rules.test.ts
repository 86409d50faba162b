import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import config from '../../oxlint.config.ts'

const forbidden: [file: string, imported: string][] = [
  ['core/broker/broker.ts', '../../workers/main.ts'],
  ['core/clock.ts', '../api-server/main.ts'],
  ['core/store/database.ts', '../../operator/main.ts'],
  ['core/store/other.ts', '../../deploy/dev/dev.ts'],
  ['core/template/render.ts', '../../test/harness/parts.ts'],
  ['core/notification/ids.ts', '../store/database.ts'],
  ['core/notification/status.ts', '../resources/channel.ts'],
  ['core/notification/deep/words.ts', '../../resources/channel.ts'],
  ['core/resources/channel.ts', '../store/database.ts'],
  ['core/resources/template.ts', '../notification/ids.ts'],
  ['core/resources/deep/schema.ts', '../../store/database.ts'],
  ['api-server/main.ts', '../workers/main.ts'],
  ['api-server/routes/send.ts', '../../operator/main.ts'],
  ['api-server/routes/dev.ts', '../../deploy/dev/dev.ts'],
  ['api-server/routes/parts.ts', '../../test/harness/parts.ts'],
  ['workers/main.ts', '../api-server/main.ts'],
  ['workers/delivery/worker.ts', '../../operator/main.ts'],
  ['operator/main.ts', '../workers/main.ts'],
  ['operator/channel/reconcile.ts', '../../api-server/main.ts'],
  ['api-server/routes/send.test.ts', '../../workers/main.ts'],
  ['core/broker/embedded.ts', 'kafkajs'],
  ['core/broker/kafka.ts', 'kafkajs'],
  ['workers/delivery/consume.ts', 'kafkajs'],
  ['operator/topics.ts', 'kafkajs'],
  ['deploy/dev/broker.ts', 'kafkajs'],
  ['core/catalog/follow.ts', 'pg'],
  ['core/providers/webhook.ts', 'kysely'],
  ['core/broker/kafka.ts', 'pg'],
  ['operator/history.ts', 'kysely'],
  ['api-server/database.ts', 'pg'],
  ['core/providers/slack.ts', 'nodemailer'],
  ['core/providers/mail.ts', 'nodemailer/lib/mailer'],
  ['workers/delivery/mail.ts', 'nodemailer'],
  ['core/resources/kubernetes.ts', '@kubernetes/client-node'],
  ['workers/kubernetes.ts', '@kubernetes/client-node'],
  ['workers/delivery/cache.ts', 'ioredis'],
  ['core/store/cache.ts', 'ioredis'],
  ['api-server/cache.ts', 'ioredis'],
]

const allowed: [file: string, imported: string][] = [
  ['core/broker/log.ts', '../notification/ids.ts'],
  ['core/notification/recipient.ts', '../resources/channel-type.ts'],
  ['core/notification/envelope.ts', './ids.ts'],
  ['core/store/ledger.ts', 'kysely'],
  ['workers/delivery/limits/redis-limits.ts', 'ioredis'],
  ['core/store/embedded/server.ts', 'pg'],
  ['core/broker/embedded-log.ts', 'pg'],
  ['core/broker/embedded/log.ts', 'kysely'],
  ['core/broker/kafka/kafkajs.ts', 'kafkajs'],
  ['core/providers/inapp.ts', 'kysely'],
  ['core/providers/smtp.ts', 'nodemailer'],
  ['api-server/app.ts', '../core/store/ledger.ts'],
  ['workers/delivery/ledger/ledger.ts', 'kysely'],
  ['operator/runtime/client.ts', '@kubernetes/client-node'],
  ['core/broker/embedded.test.ts', '../../test/harness/parts.ts'],
  ['deploy/dev/dev.ts', '../../workers/main.ts'],
  ['deploy/dev/mailbox/mailbox.test.ts', 'nodemailer'],
  ['bin/carillon.ts', '../api-server/main.ts'],
  ['test/e2e/send.ts', 'kafkajs'],
]

const root = join(import.meta.dirname, '../..')
let refused: Set<string>

/** One run of the linter over a tree outside the project, in which each file has the imports of its cases. */
beforeAll(() => {
  const tree = mkdtempSync(join(tmpdir(), 'carillon-lint-'))
  try {
    writeFileSync(join(tree, '.oxlintrc.json'), JSON.stringify({ overrides: config.overrides }))
    for (const [file, imported] of [...forbidden, ...allowed]) {
      mkdirSync(dirname(join(tree, file)), { recursive: true })
      appendFileSync(join(tree, file), `import '${imported}'\n`)
    }
    refused = refusedImports(tree)
  } finally {
    rmSync(tree, { recursive: true })
  }
})

describe('the direction of the imports', () => {
  it.each(forbidden)('refuses in %s the import of %s', (file, imported) => {
    expect(refused).toContain(`${file} imports ${imported}`)
  })

  it.each(allowed)('allows in %s the import of %s', (file, imported) => {
    expect(refused).not.toContain(`${file} imports ${imported}`)
  })
})

function refusedImports(tree: string): Set<string> {
  const run = spawnSync(process.execPath, [join(root, 'node_modules/.bin/oxlint'), '--format', 'json'], {
    cwd: tree,
    encoding: 'utf8',
  })
  const report = JSON.parse(run.stdout) as {
    diagnostics: { code: string; filename: string; labels: { span: { line: number } }[] }[]
  }
  const refusals = report.diagnostics.filter(({ code }) => code === 'eslint(no-restricted-imports)')
  return new Set(
    refusals.map(({ filename, labels }) => {
      const line = readFileSync(join(tree, filename), 'utf8').split('\n')[(labels[0]?.span.line ?? 0) - 1]
      return `${filename} imports ${line?.split("'")[1]}`
    }),
  )
}
