import { expect, it } from 'vitest'
import { PrefixTaken } from '../core/ownership/ownership.ts'
import { failureCondition } from './failure-condition.ts'

const withCode = (code: string) => Object.assign(new Error('failed'), { code })

it.each([
  'ECONNREFUSED',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])('takes %s for an API server that cannot be reached', (code) => {
  expect(failureCondition(withCode(code))).toMatchObject({
    status: 'Unknown',
    reason: 'APIServerUnavailable',
    message: expect.stringContaining(code) as string,
  })
})

it.each(['ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE', 'UND_ERR_INVALID_ARG'])(
  'takes %s for a failure of the operator',
  (code) => {
    expect(failureCondition(withCode(code))).toMatchObject({ reason: 'OperatorFailed' })
  },
)

it('tells that the prefix is taken', () => {
  const message = 'the prefix carillon was taken over by the operator in namespace other'
  expect(failureCondition(new PrefixTaken(message))).toEqual({
    status: 'False',
    reason: 'PrefixTaken',
    message,
  })
})
