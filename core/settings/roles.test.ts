import { expect, it } from 'vitest'
import { knownVariables } from './known.ts'
import { renderSettings, replaySettings, sendSettings } from './roles.ts'
import { readSettings } from './setting.ts'

const send = (...args: string[]) => readSettings(sendSettings, { args, env: {}, knownVariables })
const render = (...args: string[]) =>
  readSettings(renderSettings, { args: ['-f', '.', ...args], env: {}, knownVariables })

const replay = (...args: string[]) => readSettings(replaySettings, { args, env: {}, knownVariables })

it('reads what is to be sent, and waits for half a minute unless told otherwise', () => {
  expect(
    send('--to', 'user_id=a, email=b@c.d', '--channel', 'email,sms', '--data', '{"n":[1]}'),
  ).toMatchObject({
    to: ['user_id=a', 'email=b@c.d'],
    channels: ['email', 'sms'],
    data: { n: [1] },
    wait: 30_000,
  })
  expect(send('--to', 'user_id=a', '--wait', '0s').wait).toBe(0)
})

it.each<[() => unknown, string]>([
  [() => send('--text', 'Hi'), '--to: must be set: KIND=ADDRESS, such as email=ops@example.com'],
  [() => send('--to', 'user_id=u', '--wait', 'long'), '--wait: must be a duration such as 30s or 5m'],
  ...['[1]', 'null', '"a"', '{'].map((text): [() => unknown, string] => [
    () => send('--to', 'user_id=u', '--data', text),
    '--data: must be an object in JSON, such as {"username":"Ada"}',
  ]),
  [() => render('--type', 'fax'), '--type: must be of email, sms, push, slack, inapp, webhook'],
  [() => render('--locale', ''), '--locale: must not be empty'],
  [() => replay('--api', 'here'), '--api: must be a URL such as http://127.0.0.1:8080, got "here"'],
  [
    () => replay('--since', 'yesterday'),
    '--since: must be a time such as 2026-11-30T08:00:00Z, or 2h for two hours ago, got "yesterday"',
  ],
  [() => replay('--rate', '0'), '--rate: must be a whole number from 1 up, got "0"'],
])('refuses with one line what cannot be meant: %s', (read, line) => {
  expect(read).toThrow(line)
})
