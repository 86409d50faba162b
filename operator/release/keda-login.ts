import type { SaslMechanism } from '../../core/settings/values.ts'
import type { Platform } from '../platform.ts'
import { platformSecretName } from './names.ts'

/** How KEDA's Kafka scaler gets into Kafka, in its own words: https://keda.sh/docs/latest/scalers/apache-kafka/. */
export interface KedaLogin {
  /** What a trigger says openly. */
  metadata: { tls?: 'enable'; sasl?: string }
  /** What it reads from a Secret, for `secretTargetRef` of a TriggerAuthentication; none where Kafka asks for nothing. */
  secrets: { parameter: string; name: string; key: string }[]
}

const words: Readonly<Record<SaslMechanism, string>> = {
  PLAIN: 'plaintext',
  'SCRAM-SHA-256': 'scram_sha256',
  'SCRAM-SHA-512': 'scram_sha512',
}
const parameters = {
  username: 'KAFKA_SASL_USERNAME',
  password: 'KAFKA_SASL_PASSWORD_FILE',
  ca: 'KAFKA_SSL_CA_FILE',
} as const

/** The log-in of the workers, from the Secret that they have it from. */
export function kedaLogin({
  environment,
  secretEnvironment,
  secretFiles,
}: Pick<Platform, 'environment' | 'secretEnvironment' | 'secretFiles'>): KedaLogin {
  const mechanism = environment['KAFKA_SASL_MECHANISM'] as SaslMechanism | undefined
  const secret = { ...secretEnvironment, ...secretFiles }
  return {
    metadata: {
      ...(environment['KAFKA_SECURITY_PROTOCOL']?.endsWith('SSL') && { tls: 'enable' as const }),
      ...(mechanism && { sasl: words[mechanism] }),
    },
    secrets: Object.entries(parameters)
      .filter(([, key]) => key in secret)
      .map(([parameter, key]) => ({ parameter, name: platformSecretName, key })),
  }
}
