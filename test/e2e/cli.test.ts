import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { leastEnvironment } from '../harness/process/role.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

function carillon(args: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['bin/carillon.ts', ...args], {
    cwd: root,
    env: { ...leastEnvironment(), ...env },
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

test.each<[string[], Record<string, string>, string]>([
  [
    ['serve'],
    {},
    'carillon: "serve": no such role; there are dev, api, planner, worker, operator, migrate, apply, send, render, replay, help, version\n',
  ],
  [
    ['constructor'],
    {},
    'carillon: "constructor": no such role; there are dev, api, planner, worker, operator, migrate, apply, send, render, replay, help, version\n',
  ],
  [
    ['dev', '--listen', '0.0.0.0:8080'],
    {},
    'carillon: --listen: must be a loopback address until the API has authentication, got "0.0.0.0:8080"\n',
  ],
  [['dev'], { CARILLON_LISTEN: 'foo' }, 'carillon: CARILLON_LISTEN: must be HOST:PORT, got "foo"\n'],
  [['dev', '--database-url', 'x'], {}, 'carillon: --database-url: no such flag\n'],
  [['migrate'], {}, 'carillon: DATABASE_URL: must be set: postgresql://user:password@host/database\n'],
  [
    ['api'],
    {},
    'carillon: KAFKA_BOOTSTRAP_SERVERS: must be set: HOST:PORT of one broker or more, separated by commas\n',
  ],
  [['worker'], {}, 'carillon: CARILLON_CHANNEL: must be set: NAMESPACE/NAME of a channel\n'],
  [['apply'], {}, 'carillon: CARILLON_MANIFESTS: must be set: a folder of manifests\n'],
  [
    ['planner', '--install-key-file', '/nowhere'],
    { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1', DATABASE_URL: 'postgresql://127.0.0.1/carillon' },
    'carillon: CARILLON_INSTALL_KEY_FILE: /nowhere: cannot be read: ENOENT\n',
  ],
  [
    ['worker', '--channel', 'shop/email', '--kafka-sasl-username', 'me'],
    { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1', DATABASE_URL: 'postgresql://127.0.0.1/carillon' },
    'carillon: KAFKA_SASL_USERNAME: is not used when KAFKA_SECURITY_PROTOCOL is PLAINTEXT\n',
  ],
  [
    ['apply', '-f', '/nowhere'],
    { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1', CARILLON_INSTALL_KEY_FILE: '/nowhere' },
    'carillon: --filename: /nowhere cannot be read: ENOENT\n',
  ],
  [['send', '--to', 'ada'], {}, 'carillon: --to: must be KIND=ADDRESS, such as email=ops@example.com\n'],
  [
    ['render', '-f', 'deploy/samples', '--data', '{}'],
    {},
    'carillon: --data: needs --template, whose data they are\n',
  ],
  [
    ['render', '-f', 'deploy/samples', '--template', 'welcome', '--data', '{}'],
    {},
    'carillon: --data: /username: is required\n',
  ],
])('%j %j is refused with one line', (args, env, line) => {
  expect(carillon(args, env)).toEqual({ status: 2, stdout: '', stderr: line })
})

test('help names every role, and help of a role every setting of it', () => {
  const overview = carillon([])
  expect(overview).toMatchObject({ status: 0, stderr: '' })
  expect(overview.stdout).toMatch(/^Usage: carillon ROLE/)
  expect(overview).toEqual(carillon(['help']))
  const role = carillon(['dev', '--help'])
  expect(role).toEqual(carillon(['help', 'dev']))
  expect(role.stdout).toMatch(/--listen, CARILLON_LISTEN +HOST:PORT/)
  expect(role.stdout).toMatch(/^ {2}EMAIL_PASSWORD +password/m)
})

test('version is that of the package', () => {
  expect(carillon(['version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test('render shows the samples of a folder, in parts that may stand in what a sample expects', () => {
  const { status, stdout, stderr } = carillon(['render', '-f', 'deploy/samples', '--template', 'welcome'])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const documents = parseAllDocuments(stdout).map((document) => document.toJS() as unknown)
  expect(stdout).toMatch(/^# default\/welcome, sample plain, en\nemail:\n {2}subject: Welcome, Ada\n/)
  expect(documents).toMatchObject([
    { email: { subject: 'Welcome, Ada' }, webhook: { body: { event: 'user.welcomed', username: 'Ada' } } },
    { email: { subject: 'Willkommen, Ada' } },
  ])
})

test('render takes data of yours, a language, and types of channels', () => {
  const data = ['--template', 'welcome', '--data', '{"username":"Grace"}']
  expect(carillon(['render', '-f', 'deploy/samples', ...data, '--locale', 'de-AT', '--type', 'sms'])).toEqual(
    {
      status: 0,
      stdout: '# default/welcome, de-AT\nsms:\n  text: Willkommen bei Acme, Grace. Dein Konto ist bereit.\n',
      stderr: '',
    },
  )
})

test('render names the place of what is wrong', () => {
  const folder = mkdtempSync(join(tmpdir(), 'carillon-render-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const template = readFileSync(join(root, 'deploy/samples/template-welcome.yaml'), 'utf8')
  writeFileSync(join(folder, 'a.yaml'), template.replace('Welcome, Ada', 'Welcome, Eve'))
  const wrong = carillon(['render', '-f', folder])
  expect(wrong).toMatchObject({ status: 1, stdout: '' })
  expect(wrong.stderr).toMatch(
    /a\.yaml:\d+: spec\.samples\[0\]\.expect\.email\.subject: is not what is rendered: "Welcome, Ada"\n$/,
  )
})
