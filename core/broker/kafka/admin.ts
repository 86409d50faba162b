import type { Admin } from '../broker.ts'
import { offsetAdmin } from './admin/offsets.ts'
import { topicAdmin } from './admin/topics.ts'
import type { Wire } from './wire/wire.ts'

/** What administers a Kafka. */
export function kafkaAdmin(wire: Wire): Admin {
  return { ...topicAdmin(wire), ...offsetAdmin(wire) }
}
