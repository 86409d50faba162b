import { BrokerError } from '../core/broker/broker.ts'
import { ApiError, isConflict, isRefused } from './runtime/api-error.ts'
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
  if (error instanceof ApiError) {
    const { message } = error
    if (isRefused(error)) return { status: 'False', reason: 'APIServerRefused', message }
    return unknown(isConflict(error) ? 'Conflict' : 'APIServerFailed', `${message}; it is tried again`)
  }
  const { name, code } = error as { name?: unknown; code?: unknown }
  if (name === 'TimeoutError') return unknown('TimedOut', 'it took too long; it is tried again')
  // Of all that is asked over a network only the API server fails with an error of the system's.
  if (typeof code === 'string')
    return unknown('APIServerUnavailable', `the API server cannot be reached (${code}); it is tried again`)
  return unknown('OperatorFailed', 'the operator failed, its log says how; it is tried again')
}

const unknown = (reason: string, message: string): ConditionText => ({ status: 'Unknown', reason, message })
