import { expect, it } from 'vitest'
import { channelResource } from '../../test/harness/fakes/resources.ts'
import { type Claimant, topicCollision } from './collisions.ts'

const claimant = (name: string, topic: string, createdAt = '2026-01-01T00:00:00Z'): Claimant => ({
  channel: channelResource(
    { name, namespace: 'shop' },
    { type: 'email', providers: [{ name: 'a', type: 'sandbox' }], topic: { name: topic } },
  ),
  createdAt,
})

it.each<[string, Claimant, Claimant[], string | undefined]>([
  ['a name of its own', claimant('email', 'mails'), [claimant('sms', 'texts')], undefined],
  ['the default, by its full name', claimant('email', 'crl.shop.email'), [], undefined],
  [
    'a topic of the install',
    claimant('email', 'crl.requests'),
    [],
    "topic crl.requests is the install's own",
  ],
  [
    'what another channel will be given',
    claimant('email', 'crl.other.email'),
    [],
    'topic crl.other.email: names that begin with crl. are given by the install',
  ],
  [
    'a topic of an older channel',
    claimant('b', 'mails', '2026-01-02T00:00:00Z'),
    [claimant('z', 'mails')],
    'topic mails belongs to NotificationChannel shop/z',
  ],
  [
    'a topic of a newer channel',
    claimant('z', 'mails'),
    [claimant('a', 'mails', '2026-01-02T00:00:00Z')],
    undefined,
  ],
  [
    'a topic of a channel as old, whose name comes first',
    claimant('b', 'mails'),
    [claimant('a', 'mails')],
    'topic mails belongs to NotificationChannel shop/a',
  ],
  [
    'the dead letters of another',
    claimant('b', 'mails.dlq'),
    [claimant('a', 'mails')],
    'topic mails.dlq belongs to NotificationChannel shop/a',
  ],
  [
    'what it is given, and an older one asked for in vain',
    claimant('email', ''),
    [claimant('a', 'crl.shop.email')],
    undefined,
  ],
  [
    'what it is given, and was published from elsewhere',
    claimant('email', ''),
    [claimant('z', 'crl.shop.email', '')],
    'topic crl.shop.email belongs to NotificationChannel shop/z',
  ],
  [
    'a topic of what was published from elsewhere',
    claimant('a', 'mails'),
    [claimant('z', 'mails', '')],
    'topic mails belongs to NotificationChannel shop/z',
  ],
])('%s', (_what, wanted, others, expected) => {
  expect(topicCollision(wanted, others, 'crl')).toBe(expected)
})
