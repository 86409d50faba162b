import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Setting } from './setting.ts'
import {
  alone,
  anyAddress,
  bootstrapServers,
  channelName,
  historyRetention,
  hostName,
  httpUrl,
  logLevels,
  loopbackAddress,
  namespaceName,
  namespaceNames,
  path,
  port,
  redisUrl,
  saslMechanisms,
  securityProtocols,
} from './values.ts'

/** Every setting there is. A role reads those it needs. */

const checkout = fileURLToPath(new URL('../../', import.meta.url))

export const settings = {
  listen: define({
    env: 'CARILLON_LISTEN',
    flag: 'listen',
    description: 'HOST:PORT of the API (127.0.0.1:8080; port 0 takes a free one)',
    schema: loopbackAddress.prefault('127.0.0.1:8080'),
  }),
  dataDir: define({
    env: 'CARILLON_DATA_DIR',
    flag: 'data-dir',
    description: 'folder for everything this machine keeps (.carillon in the checkout)',
    schema: path.prefault(resolve(checkout, '.carillon')),
  }),
  manifests: define({
    env: 'CARILLON_MANIFESTS',
    flag: 'manifests',
    description: 'folder of channel and template manifests (deploy/samples in the checkout)',
    schema: path.prefault(resolve(checkout, 'deploy/samples')),
  }),
  manifestsToApply: define({
    env: 'CARILLON_MANIFESTS',
    flag: 'filename',
    short: 'f',
    description: 'folder of channel and template manifests, or one file',
    schema: z.string({ error: 'must be set: a folder of manifests' }).transform((text) => resolve(text)),
  }),
  dryRun: define({
    env: 'CARILLON_DRY_RUN',
    flag: 'dry-run',
    switch: true,
    description: 'say what would change, and change nothing',
    schema: alone,
  }),
  api: define({
    env: 'CARILLON_API',
    flag: 'api',
    description: 'URL of the API to ask (http://127.0.0.1:8080)',
    schema: httpUrl.prefault('http://127.0.0.1:8080'),
  }),
  yes: define({ flag: 'yes', short: 'y', switch: true, description: 'do not ask before', schema: alone }),
  secretsDir: define({
    env: 'CARILLON_SECRETS_DIR',
    flag: 'secrets-dir',
    description: 'folder NAME/KEY that secretRef reads (dev: secrets in the data folder; worker: none)',
    schema: path.optional(),
  }),
  topicPrefix: define({
    env: 'CARILLON_TOPIC_PREFIX',
    flag: 'topic-prefix',
    description: 'first part of every topic name (carillon)',
    schema: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, 'must be 1 to 40 of a-z, 0-9 and -')
      .prefault('carillon'),
  }),
  logLevel: define({
    env: 'LOG_LEVEL',
    flag: 'log-level',
    description: `least urgent level to log: ${logLevels.join(', ')} (INFO)`,
    schema: z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }).prefault('INFO'),
  }),
  databaseUrl: define({
    env: 'DATABASE_URL',
    description: 'PostgreSQL to use: postgresql://user:password@host/database',
    schema: z
      .string({ error: 'must be set: postgresql://user:password@host/database' })
      .regex(/^postgres(ql)?:\/\/./, 'must begin with postgresql://'),
  }),
  redisUrl: define({
    env: 'REDIS_URL',
    description:
      'Redis in which workers share rate limits: redis://host:6379 (none: each keeps to its own share)',
    schema: redisUrl.optional(),
  }),
  kafkaBootstrapServers: define({
    env: 'KAFKA_BOOTSTRAP_SERVERS',
    flag: 'kafka-bootstrap-servers',
    description: 'HOST:PORT of one broker or more, separated by commas',
    schema: bootstrapServers,
  }),
  kafkaSecurityProtocol: define({
    env: 'KAFKA_SECURITY_PROTOCOL',
    flag: 'kafka-security-protocol',
    description: `how to talk to the brokers: ${securityProtocols.join(', ')} (PLAINTEXT)`,
    schema: z
      .enum(securityProtocols, { error: `must be one of ${securityProtocols.join(', ')}` })
      .prefault('PLAINTEXT'),
  }),
  kafkaSaslMechanism: define({
    env: 'KAFKA_SASL_MECHANISM',
    flag: 'kafka-sasl-mechanism',
    description: `how to log in to the brokers: ${saslMechanisms.join(', ')}`,
    schema: z.enum(saslMechanisms, { error: `must be one of ${saslMechanisms.join(', ')}` }).optional(),
  }),
  kafkaSaslUsername: define({
    env: 'KAFKA_SASL_USERNAME',
    flag: 'kafka-sasl-username',
    description: 'user name at the brokers',
    schema: z.string().optional(),
  }),
  kafkaSaslPasswordFile: define({
    env: 'KAFKA_SASL_PASSWORD_FILE',
    flag: 'kafka-sasl-password-file',
    description: 'file with the password at the brokers',
    schema: path.optional(),
  }),
  kafkaSslCaFile: define({
    env: 'KAFKA_SSL_CA_FILE',
    flag: 'kafka-ssl-ca-file',
    description: "file (PEM) with the brokers' certificate authority (those that Node trusts)",
    schema: path.optional(),
  }),
  installKeyFile: define({
    env: 'CARILLON_INSTALL_KEY_FILE',
    flag: 'install-key-file',
    description: 'file with the secret of the install: 32 random bytes or more, the same for every process',
    schema: z
      .string({ error: 'must be set: a file of 32 random bytes or more, the same for every process' })
      .transform((text) => resolve(text)),
  }),
  healthListen: define({
    env: 'CARILLON_HEALTH_LISTEN',
    flag: 'health-listen',
    description: 'HOST:PORT of /livez, /readyz and /metrics (127.0.0.1:8081; port 0 takes a free one)',
    schema: anyAddress.prefault('127.0.0.1:8081'),
  }),
  channel: define({
    env: 'CARILLON_CHANNEL',
    flag: 'channel',
    description: 'NAMESPACE/NAME of the channel to deliver',
    schema: channelName,
  }),
  historyRetention: define({
    env: 'CARILLON_HISTORY_RETENTION',
    flag: 'history-retention',
    description: 'how long notifications are kept, and with them their Idempotency-Key: 168h or more (720h)',
    schema: historyRetention.prefault('720h'),
  }),
  topicReplicas: define({
    env: 'CARILLON_TOPIC_REPLICAS',
    flag: 'topic-replicas',
    description: 'copies of every topic at the most (3; 1 where there is a single broker)',
    schema: z
      .string()
      .regex(/^([1-9]|10)$/, 'must be 1 to 10')
      .transform(Number)
      .prefault('3'),
  }),
  takeOverFrom: define({
    env: 'CARILLON_TAKE_OVER_FROM',
    flag: 'take-over-from',
    description: 'id of the install whose topic prefix this one takes over, as its refusal names it (none)',
    schema: z
      .string()
      .regex(/^\S{1,200}$/, 'must be the id of an install')
      .optional(),
  }),
  kubeconfig: define({
    env: 'KUBECONFIG',
    flag: 'kubeconfig',
    description: 'file that says where the cluster is (in a cluster: the service account of the pod)',
    schema: path.optional(),
  }),
  image: define({
    env: 'CARILLON_IMAGE',
    flag: 'image',
    description: 'image of the worker pods: that of the release',
    schema: z
      .string({ error: 'must be set: the image of the worker pods' })
      .regex(/^\S{1,500}$/, 'must be the name of an image'),
  }),
  namespace: define({
    env: 'CARILLON_NAMESPACE',
    flag: 'namespace',
    description: 'namespace of the release, in which the workers run',
    schema: namespaceName,
  }),
  watchNamespaces: define({
    env: 'CARILLON_WATCH_NAMESPACES',
    flag: 'watch-namespaces',
    description: 'namespaces to serve, separated by commas (all)',
    schema: namespaceNames.optional().transform((names) => names ?? []),
  }),
  emailHost: define({
    env: 'EMAIL_HOST',
    flag: 'email-host',
    description: 'mail server to send through (none: mail is caught and shown, nothing leaves)',
    schema: hostName.optional(),
  }),
  emailPort: define({
    env: 'EMAIL_PORT',
    flag: 'email-port',
    description:
      'its port: 465 is TLS from the start, every other one STARTTLS, and none on this machine (587)',
    schema: port.prefault('587'),
  }),
  emailUsername: define({
    env: 'EMAIL_USERNAME',
    flag: 'email-username',
    description: 'user name at the mail server (none: no log-in)',
    schema: z.string().optional(),
  }),
  emailPassword: define({
    env: 'EMAIL_PASSWORD',
    description: 'password at the mail server',
    schema: z.string().optional(),
  }),
  emailFrom: define({
    env: 'EMAIL_FROM',
    flag: 'email-from',
    description: 'sender of all mail (what the manifest says)',
    schema: z
      .string()
      .regex(/^[^\r\n]*[^\s@<>]+@[^\s@<>]+[^\r\n]*$/, 'must be an address: Name <name@example.com>')
      .optional(),
  }),
}

/** Variables of ours that are read before this program starts, or by its tests. */
const toolVariables = [
  'CARILLON_CACHE',
  'CARILLON_KAFKA',
  'CARILLON_POSTGRES_BIN',
  'CARILLON_REDIS',
  'CARILLON_REQUIRE',
]

export const knownVariables: ReadonlySet<string> = new Set([
  ...Object.values(settings).flatMap((setting) => setting.env ?? []),
  ...toolVariables,
])

function define<T>(setting: Setting<T>): Setting<T> {
  return setting
}
