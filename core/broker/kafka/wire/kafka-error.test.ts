import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../broker.ts'
import { isTransient, KafkaError, moreTelling, toBrokerError } from './kafka-error.ts'

describe('toBrokerError', () => {
  it.each([
    [3, 'unknown_topic'],
    [6, 'unavailable'],
    [10, 'record_too_large'],
    [17, 'invalid'],
    [19, 'unavailable'],
    [22, 'stale_epoch'],
    [29, 'unauthorized'],
    [30, 'unauthorized'],
    [32, 'unavailable'],
    [38, 'invalid'],
    [40, 'invalid'],
    [87, 'invalid_record'],
    [12_345, 'unavailable'],
  ])('says of Kafka error %i that it is %s', (code, meaning) => {
    expect(toBrokerError(new KafkaError(code, 'topic t'))).toMatchObject({ code: meaning })
  })

  it('names what was asked about and how Kafka calls the error', () => {
    const error = toBrokerError(new KafkaError(29, 'topic t'))
    expect(error.message).toBe('Kafka answers topic t: TOPIC_AUTHORIZATION_FAILED')
  })

  it('finds the reason below the errors that wrap it', () => {
    const reason = Object.assign(new Error('SASL'), { name: 'KafkaJSSASLAuthenticationError' })
    const wrapped = new Error('retries exceeded', { cause: new Error('not retriable', { cause: reason }) })
    expect(toBrokerError(wrapped)).toMatchObject({ code: 'unauthorized' })
  })

  it('takes everything else for a broker that cannot be reached, without its words', () => {
    const error = toBrokerError(new Error('connect ECONNREFUSED 10.0.0.1:9092'))
    expect(error).toMatchObject({ code: 'unavailable' })
    expect(error.message).not.toContain('10.0.0.1')
  })

  it('leaves a BrokerError as it is', () => {
    const error = new BrokerError('closed', 'closed')
    expect(toBrokerError(error)).toBe(error)
  })
})

describe('moreTelling', () => {
  const silence = toBrokerError(new Error('a broker does not answer'))
  const certificate = new BrokerError('unavailable', 'its CA certificate must be given')
  const unknown = new BrokerError('unknown_topic', 'no such topic')

  it.each([
    ['the reason told before a silence', certificate, silence, certificate],
    ['the reason told after a silence', silence, certificate, certificate],
    ['the silence after a broker that answered', unknown, silence, silence],
    ['the newer of two reasons', certificate, unknown, unknown],
    ['the only one', undefined, silence, silence],
  ])('chooses %s', (_what, before, after, chosen) => {
    expect(moreTelling(before, after)).toBe(chosen)
  })
})

describe('isTransient', () => {
  it.each([
    [new KafkaError(6, 't'), true],
    [new KafkaError(14, 't'), true],
    [new KafkaError(40, 't'), false],
    [new Error('Connection closed'), true],
    [new BrokerError('stale_epoch', 'over'), false],
  ])('%s: %s', (error, transient) => {
    expect(isTransient(error)).toBe(transient)
  })
})
