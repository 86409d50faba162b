import { BrokerError, type BrokerErrorCode } from '../../broker.ts'
import { errorCodes } from '../kafkajs.ts'

const byCode = new Map(errorCodes.map((error) => [error.code, error]))

/** Codes that are compared with, or made here, where no broker was asked. */
export const [UNKNOWN_TOPIC_OR_PARTITION, REBALANCE_IN_PROGRESS] = [3, 27]

/** An error code that a broker answered, https://kafka.apache.org/protocol#protocol_error_codes. */
export class KafkaError extends Error {
  /** Such as `NOT_LEADER_FOR_PARTITION`. */
  readonly type: string
  /** It may go well when it is tried again, perhaps with fresh metadata. */
  readonly retriable: boolean

  constructor(code: number, subject: string) {
    const { type, retriable } = byCode.get(code) ?? { type: `error ${code}`, retriable: false }
    super(`${subject}: ${type}`)
    this.name = 'KafkaError'
    this.type = type
    this.retriable = retriable
  }
}

/** Throws when a broker's answer is an error. `subject` begins the message: what was asked about. */
export function failOn(code: number, subject: string): void {
  if (code !== 0) throw new KafkaError(code, subject)
}

/** INVALID_TIMESTAMP is not among them: all records have the time of our clock, so it says nothing of one, and passes when that is set right. */
const brokerErrorCodes: Readonly<Record<string, BrokerErrorCode>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'unknown_topic',
  MESSAGE_TOO_LARGE: 'record_too_large',
  RECORD_LIST_TOO_LARGE: 'record_too_large',
  INVALID_TOPIC_EXCEPTION: 'invalid',
  INVALID_PARTITIONS: 'invalid',
  INVALID_REPLICATION_FACTOR: 'invalid',
  INVALID_REPLICA_ASSIGNMENT: 'invalid',
  INVALID_CONFIG: 'invalid',
  INVALID_REQUEST: 'invalid',
  INVALID_GROUP_ID: 'invalid',
  INVALID_RECORD: 'invalid_record',
  POLICY_VIOLATION: 'invalid',
  INCONSISTENT_GROUP_PROTOCOL: 'invalid',
  ILLEGAL_GENERATION: 'stale_epoch',
  UNKNOWN_MEMBER_ID: 'stale_epoch',
  REBALANCE_IN_PROGRESS: 'stale_epoch',
  FENCED_INSTANCE_ID: 'stale_epoch',
  TOPIC_AUTHORIZATION_FAILED: 'unauthorized',
  GROUP_AUTHORIZATION_FAILED: 'unauthorized',
  CLUSTER_AUTHORIZATION_FAILED: 'unauthorized',
  SASL_AUTHENTICATION_FAILED: 'unauthorized',
  UNSUPPORTED_SASL_MECHANISM: 'unauthorized',
}

/** Codes of Node's TLS for a certificate that no known authority vouches for. */
const unknownAuthority = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
])

const UNREACHABLE = 'no broker of Kafka can be reached'

/** What any failure means to the callers of the port. A `BrokerError` stays what it is. */
export function toBrokerError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof BrokerError) return cause
    if (cause instanceof KafkaError) {
      const code = brokerErrorCodes[cause.type] ?? 'unavailable'
      return new BrokerError(code, `Kafka answers ${cause.message}`, { cause: error })
    }
    if (cause.name === 'KafkaJSSASLAuthenticationError') {
      return new BrokerError('unauthorized', 'Kafka refuses the user name or the password', { cause: error })
    }
    if (cause.name === 'KafkaJSNotImplemented') {
      const message = 'records are compressed with a codec that cannot be read here: only gzip can'
      return new BrokerError('invalid', message, { cause: error })
    }
    const code = 'code' in cause ? String(cause.code) : ''
    if (unknownAuthority.has(code)) {
      const message =
        "Kafka's certificate is signed by an authority that is not known here; its CA certificate must be given"
      return new BrokerError('unavailable', message, { cause: error })
    }
    if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
      return new BrokerError('unavailable', "Kafka's certificate is for another host name", { cause: error })
    }
  }
  return new BrokerError('unavailable', UNREACHABLE, { cause: error })
}

/** Of two failures in a row the one that says why: a broker that was too slow to answer hides what it said before. */
export function moreTelling(before: BrokerError | undefined, after: BrokerError): BrokerError {
  return before?.code === 'unavailable' && after.message === UNREACHABLE ? before : after
}

/** Whether waiting may help: no broker answered, or one said so itself. */
export function isTransient(error: unknown): boolean {
  if (error instanceof KafkaError) return error.retriable
  return toBrokerError(error).code === 'unavailable'
}

const rebalances = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'MEMBER_ID_REQUIRED',
])

/** The group is shared out anew: nothing is wrong, joining again is all there is to do. */
export function isRebalance(error: unknown): boolean {
  return error instanceof KafkaError && rebalances.has(error.type)
}
