import type { BrokerError } from '../core/broker/broker.ts'
import type { ConditionText } from './runtime/conditions.ts'

/** What a failure of Kafka says in a condition: nothing is known while it is away; what it refuses stays refused until somebody acts. */
export function brokerCondition({ code, message }: BrokerError): ConditionText {
  return code === 'unavailable' || code === 'queue_full'
    ? { status: 'Unknown', reason: 'KafkaUnavailable', message }
    : { status: 'False', reason: 'KafkaRefused', message }
}
