import { expect, it } from 'vitest'
import { canonicalRecipient, type Recipient } from '../../core/notification/recipient.ts'
import { maskRecipient } from './mask-recipient.ts'

it.each<[Recipient, Record<string, string>]>([
  [{ user_id: 'u:42/device:x' }, { user_id: 'u:42/device:x' }],
  [{ email: 'ada.lovelace@example.com' }, { email: 'a***@example.com' }],
  [{ phone: '+15550100' }, { phone: '+1***00' }],
  [{ phone: '+1555' }, { phone: '***' }],
  [{ slack_channel: '#ops' }, { slack_channel: '#ops' }],
  [{ device_token: 'abcdefghijkl' }, { device_token: 'ab***kl' }],
  [
    { webhook_url: 'https://hooks.example.com/T0/secret?a=b' },
    { webhook_url: 'https://hooks.example.com/***' },
  ],
  [{ webhook_url: 'http://[' }, { webhook_url: '/***' }],
])('shows of %j only what is known to who sent it', (recipient, shown) => {
  expect(maskRecipient(canonicalRecipient(recipient), recipient.user_id ?? null)).toEqual(shown)
})

it('tells the devices of a user apart', () => {
  expect(maskRecipient('user:ada/device:abcdefghijkl', 'ada')).toEqual({
    user_id: 'ada',
    device_token: 'ab***kl',
  })
})
