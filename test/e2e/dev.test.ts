import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startMailCatcher } from '../../deploy/dev/mailbox/mail-catcher.ts'
import { type Caught, Mailbox } from '../../deploy/dev/mailbox/mailbox.ts'
import { type CarillonProcess, startCarillon } from '../harness/process/carillon.ts'
import { paste } from './paste.ts'
import { processesIn } from './processes.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const samples = fileURLToPath(new URL('../../deploy/samples', import.meta.url))
const waiting = { timeout: 60_000, interval: 50 }

let folder: string
let dataDir: string
let manifests: string

/** Tests build on one another: one program, as somebody would use it. */
describe('carillon dev', { timeout: 240_000 }, () => {
  let carillon: CarillonProcess

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'carillon-e2e-'))
    dataDir = join(folder, 'data')
    manifests = join(folder, 'manifests')
    cpSync(samples, manifests, { recursive: true })
    carillon = await startCarillon({ dataDir, manifests })
  }, 240_000)

  afterAll(async () => {
    await carillon.stop()
    rmSync(folder, { recursive: true })
  })

  const get = async <T>(path: string) => (await (await fetch(carillon.url + path)).json()) as T
  const caught = async () => (await get<{ messages: Caught[] }>('/dev/mailbox.json')).messages
  const post = (path: string, body: object) =>
    fetch(carillon.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const command = (number: number) => carillon.output().match(/^ {2}curl .*$/gm)![number]!
  const editFile = (name: string, edit: (text: string) => string) =>
    writeFileSync(join(manifests, name), edit(readFileSync(join(manifests, name), 'utf8')))

  test('it says where it is, in words and for programs', async () => {
    expect(carillon.output()).toMatch(/^Carillon is up at http:\/\/127\.0\.0\.1:\d+$/m)
    expect(carillon.output()).toContain(`is up at ${carillon.url}\n`)
    expect((await fetch(`${carillon.url}/readyz`)).status).toBe(200)
    expect(carillon.output()).not.toContain('\u001b')
    expect(carillon.output().match(/^ {2}curl .*$/gm)).toHaveLength(3)
  })

  test('the first command of the banner sends a mail', async () => {
    const answer = JSON.parse(await paste(command(0))) as { id: string }
    await expect.poll(caught, waiting).toContainEqual(
      expect.objectContaining({
        channel: 'email',
        to: 'ada@example.com',
        title: 'Welcome, Ada',
        from: 'Acme <no-reply@acme.example>',
      }),
    )
    await expect
      .poll(() => get<{ status: string }>(`/v1/notifications/${answer.id}`), waiting)
      .toMatchObject({ status: 'completed', deliveries: [{ channel: 'email', status: 'sent' }] })
    await expect.poll(carillon.output, waiting).toContain('email to ada@example.com "Welcome, Ada"')
  })

  test('the second puts an in-app message into the inbox and reads it back', async () => {
    expect(await paste(command(1))).toContain('"id"')
    await expect
      .poll(() => get('/v1/users/user123/inbox'), waiting)
      .toMatchObject({
        data: [expect.objectContaining({ title: 'Welcome, John', action_url: '/getting-started' })],
      })
  })

  test('the third sends a webhook whose signature its receiver verifies', async () => {
    await paste(command(2))
    await expect.poll(caught, waiting).toContainEqual(
      expect.objectContaining({
        channel: 'webhook',
        verified: true,
        data: { event: 'user.welcomed', username: 'Ada' },
      }),
    )
  })

  test('the request that the fifth seed documents gives user123 a push and a mail', async () => {
    const answer = await post('/api/v1/notifications', {
      user_id: 'user123',
      template_id: 'welcome',
      channels: ['push', 'email'],
      data: { username: 'john_doe' },
    })
    expect(answer.status).toBeLessThan(300)
    await expect.poll(caught, waiting).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          channel: 'push',
          to: 'device-token-of-user123',
          title: 'Welcome, john_doe',
        }),
        expect.objectContaining({
          channel: 'email',
          to: 'john.doe@example.com',
          title: 'Welcome, john_doe',
        }),
      ]),
    )
  })

  test('a number that cannot be reached at first gets its message by a retry', async () => {
    await post('/v1/notifications', {
      to: [{ phone: '+15550111' }],
      template: { id: 'welcome' },
      data: { username: 'Ada' },
    })
    await expect
      .poll(caught, waiting)
      .toContainEqual(expect.objectContaining({ channel: 'sms', to: '+15550111' }))
    await expect
      .poll(carillon.output, waiting)
      .toMatch(/^! sms is tried again http:.*\/v1\/notifications\/ntf_\w+$/m)
  })

  test('carillon send says what becomes of a message, and a repeat sends nothing again', () => {
    const send = (...args: string[]) =>
      spawnSync(process.execPath, ['bin/carillon.ts', 'send', '--api', carillon.url, ...args], {
        cwd: root,
        encoding: 'utf8',
      })
    const welcome = ['--template', 'welcome', '--data', '{"username":"Grace"}']
    const sent = send('--to', 'user_id=user123', '--channel', 'email,push', ...welcome, '--wait', '2m')
    expect(sent).toMatchObject({ status: 0, stderr: '' })
    expect(sent.stdout).toMatch(
      /^(ntf_\w+) accepted\n {2}email to user123: sent\n {2}push to user123 de\*+23: simulated\n\1 completed\n$/,
    )

    const refused = send('--to', 'phone=+15550112', '--text', 'Hi', '--wait', '2m')
    expect(refused).toMatchObject({ status: 1, stderr: '' })
    expect(refused.stdout).toMatch(
      /^(ntf_\w+) accepted\n {2}sms to \+1\*+12: failed \(provider_rejected: unknown_number: .*\)\n\1 failed\n$/,
    )

    const keyed = ['--to', 'phone=+15550100', ...welcome, '--idempotency-key', 'grace', '--wait', '0s']
    const first = send(...keyed)
    expect(first.stdout).toMatch(/^ntf_\w+ accepted\n$/)
    expect(send(...keyed).stdout).toBe(first.stdout)
    expect(send(...keyed, '--category', 'other')).toMatchObject({
      status: 1,
      stderr: 'carillon: This Idempotency-Key came with another request before.\n',
    })
  })

  test('a second start on the same data is refused with one line', async () => {
    const args = [
      'bin/carillon.ts',
      'dev',
      '--listen',
      '127.0.0.1:0',
      '--data-dir',
      dataDir,
      '--manifests',
      manifests,
    ]
    const second = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
    expect(second).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/^carillon: .* in use .*\n$/) as string,
    })
    expect((await fetch(`${carillon.url}/readyz`)).status).toBe(200)
  })

  test('an edit of a template is in the next message', async () => {
    editFile('template-welcome.yaml', (text) =>
      text
        .replace('Your account is ready."\n    push', 'All is ready."\n    push')
        .replace('Ada. Your account is ready."', 'Ada. All is ready."'),
    )
    await expect
      .poll(async () => {
        await post('/v1/notifications', {
          to: [{ phone: '+15550100' }],
          template: { id: 'welcome' },
          data: { username: 'Ada' },
        })
        return caught()
      }, waiting)
      .toContainEqual(expect.objectContaining({ text: 'Welcome to Acme, Ada. All is ready.' }))
    await expect.poll(carillon.output, waiting).toMatch(/^in use NotificationTemplate welcome$/m)
  })

  test('a bad edit is reported with file, line and field, and what was good goes on', async () => {
    editFile('email.yaml', (text) => text.replace('port: 587', 'port: 587000'))
    await expect.poll(carillon.output, waiting).toMatch(/email\.yaml:\d+: spec\.providers\[0\]\.smtp\.port: /)
    await post('/v1/notifications', {
      to: [{ email: 'bob@example.com' }],
      template: { id: 'welcome' },
      data: { username: 'Bob' },
    })
    await expect.poll(caught, waiting).toContainEqual(expect.objectContaining({ to: 'bob@example.com' }))
  })

  test('what is changed over the API is changed for good', async () => {
    const answer = await fetch(`${carillon.url}/v1/users/user123`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'changed@example.com' }),
    })
    expect(answer.status).toBe(200)
  })

  test('secrets, keys and the log are for their owner alone', () => {
    const files = ['install.key', 'secrets/webhook-signing/secret', 'log/carillon.log']
    const open = files.filter((file) => (statSync(join(dataDir, file)).mode & 0o077) !== 0)
    expect(open).toEqual([])
  })

  test('the log holds no address, payload or secret', () => {
    const log = readFileSync(join(dataDir, 'log/carillon.log'), 'utf8')
    expect(log).not.toMatch(/ada@example|john\.doe@|Welcome, |15550111|whsec_/)
  })

  test('SIGTERM stops everything and leaves nothing behind', async () => {
    expect(processesIn(dataDir)).not.toEqual([])
    expect(await carillon.stop()).toBe(0)
    expect(processesIn(dataDir) ?? []).toEqual([])
    expect(existsSync(join(dataDir, 'endpoint'))).toBe(false)
    expect(carillon.output()).not.toMatch(/^ +at |error|warning/im)
  })

  test('the next start finds everything again, what was good before a bad edit too', async () => {
    carillon = await startCarillon({ dataDir, manifests })
    expect(carillon.output()).toMatch(/email\.yaml:\d+: spec\.providers\[0\]\.smtp\.port: /)
    expect(await get('/v1/users/user123/inbox')).toMatchObject({
      data: [expect.objectContaining({ title: 'Welcome, John' })],
    })
    expect(await get('/v1/users/user123')).toMatchObject({ email: 'changed@example.com' })
    await post('/v1/notifications', {
      to: [{ user_id: 'user123' }],
      channels: ['email'],
      template: { id: 'welcome' },
      data: { username: 'again' },
    })
    await expect
      .poll(caught, waiting)
      .toContainEqual(expect.objectContaining({ to: 'changed@example.com', title: 'Welcome, again' }))
    expect(await carillon.stop()).toBe(0)
  })

  test('EMAIL_HOST sends mail through that server instead', async () => {
    const mailbox = new Mailbox({ now: Date.now })
    const server = await startMailCatcher(mailbox)
    const env = {
      EMAIL_HOST: server.host,
      EMAIL_PORT: String(server.port),
      EMAIL_FROM: 'Me <me@example.com>',
    }
    try {
      carillon = await startCarillon({ dataDir, manifests, env })
      await paste(command(0))
      await expect
        .poll(() => mailbox.list(), waiting)
        .toMatchObject([{ to: 'ada@example.com', from: 'Me <me@example.com>', title: 'Welcome, Ada' }])
      expect(await caught()).toEqual([])
      expect(await carillon.stop()).toBe(0)
    } finally {
      await server.close()
    }
  })
})
