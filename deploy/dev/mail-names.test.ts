import { expect, it } from 'vitest'
import { unknownMailNames } from './mail-names.ts'

const names = 'EMAIL_HOST, EMAIL_PORT, EMAIL_USERNAME, EMAIL_PASSWORD, EMAIL_FROM'

it('names variables that only look like settings of the mail server, and those that are, without their values', () => {
  expect(
    unknownMailNames({ EMAIL_HOSTNAME: 'mail.example.com', SMTP_HOST: 'x', EMAIL_PASS: 'hunter2' }),
  ).toBe(
    `EMAIL_HOSTNAME, EMAIL_PASS, SMTP_HOST: not known here, and without effect; the mail server is set by ${names}`,
  )
})

it('leaves others their variables once the mail server is set, but not what begins like ours', () => {
  expect(unknownMailNames({ EMAIL_HOST: 'x', SMTP_HOST: 'x', MAIL_FROM: 'x' })).toBeUndefined()
  expect(unknownMailNames({ EMAIL_HOST: 'x', EMAIL_USER: 'me', SMTP_HOST: 'x' })).toMatch(/^EMAIL_USER: /)
})

it('has nothing to say of what is known, empty, or no setting of a mail server', () => {
  const set = Object.fromEntries(names.split(', ').map((name) => [name, 'x']))
  expect(
    unknownMailNames({ ...set, EMAIL: 'me@example.com', MAIL: '/var/mail/me', EMAIL_USER: '' }),
  ).toBeUndefined()
})
