import { BrokerError } from '../core/broker/broker.ts'
import { PrefixTaken } from '../core/ownership/ownership.ts'
import { ApiError, isConflict, isRefused } from './runtime/api/api-error.ts'
import type { ConditionText } from './runtime/conditions.ts'

/**
 * What an error says in the condition that was being looked at. What passes by itself leaves it unknown how things are, and is tried again; what is refused
 * stays so until somebody acts.
 */
export function failureCondition(error: unknown): ConditionText {
  if (error instanceof BrokerError) {
    const { code, message } = error
    return code === 'unavailable' || code === 'queue_full'
      ? unknown('KafkaUnavailable', message)
      : { status: 'False', reason: 'KafkaRefused', message }
  }
  if (error instanceof PrefixTaken) return { status: 'False', reason: 'PrefixTaken', message: error.message }
  if (error instanceof ApiError) {
    const { message } = error
    if (isRefused(error)) return { status: 'False', reason: 'APIServerRefused', message }
    return unknown(isConflict(error) ? 'Conflict' : 'APIServerFailed', `${message}; it is tried again`)
  }
  const { name, code } = error as { name?: unknown; code?: unknown }
  if (name === 'TimeoutError') return unknown('TimedOut', 'it took too long; it is tried again')
  if (typeof code === 'string' && !programming.test(code))
    return unknown('APIServerUnavailable', `the API server cannot be reached (${code}); it is tried again`)
  return unknown('OperatorFailed', 'the operator failed, its log says how; it is tried again')
}

/**
 * What Node itself calls a programming error, but for those of TLS, https://nodejs.org/api/errors.html. Every other code is one of the system's, of TLS or of
 * the HTTP client, and of all that is asked over a network only the API server fails so.
 */
const programming = /^(ERR_(?!TLS_|SSL_)|UND_ERR_INVALID_)/

const unknown = (reason: string, message: string): ConditionText => ({ status: 'Unknown', reason, message })
