import { z } from 'zod'
import type { ProviderDeclaration } from './provider.ts'

/** Providers of the cases below: one with required settings, one with a required secret, one that needs nothing. */
export const caseProviders: ProviderDeclaration[] = [
  {
    type: 'smtp',
    description: 'Sends e-mail.',
    channelTypes: ['email'],
    settings: z.strictObject({
      host: z.string().min(1).max(253).describe('Server.'),
      port: z.int().min(1).max(65535).default(587).describe('Port.'),
      tls: z.enum(['None', 'StartTLS', 'TLS']).default('StartTLS').describe('Encryption.'),
    }),
    secrets: [],
  },
  {
    type: 'two-words',
    description: 'Needs a key.',
    channelTypes: ['email', 'sms'],
    settings: z.strictObject({ region: z.string().max(20).optional().describe('Region.') }),
    secrets: [{ key: 'token', description: 'Token.', required: true }],
  },
  {
    type: 'sandbox',
    description: 'Sends nothing.',
    channelTypes: ['email', 'sms', 'push', 'slack', 'inapp', 'webhook'],
    settings: z.strictObject({}),
    secrets: [],
  },
]

/** A spec that is wrong in one place. */
export interface Case {
  name: string
  kind: 'NotificationChannel' | 'NotificationTemplate'
  /** The spec as YAML flow text, so that a case is one line. */
  spec: string
  path: string
  message: string
  /** `rule`: the API server says the very same message; `schema`: it refuses in its own words; `here`: only Carillon refuses. */
  kubernetes: 'rule' | 'schema' | 'here'
}

const sandbox = '[{name: a, type: sandbox}]'
const channel = (rest: string, more: Omit<Case, 'kind' | 'spec'>): Case => ({
  ...more,
  kind: 'NotificationChannel',
  spec: `{type: email, providers: ${sandbox}, ${rest}}`,
})
const provider = (entry: string, more: Omit<Case, 'kind' | 'spec'>): Case => ({
  ...more,
  kind: 'NotificationChannel',
  spec: `{type: email, providers: [${entry}]}`,
})
const template = (rest: string, more: Omit<Case, 'kind' | 'spec'>): Case => ({
  ...more,
  kind: 'NotificationTemplate',
  spec: `{content: {sms: {text: hello}}, ${rest}}`,
})
const content = (text: string, more: Omit<Case, 'kind' | 'spec'>): Case => ({
  ...more,
  kind: 'NotificationTemplate',
  spec: `{content: ${text}}`,
})
const variables = (text: string, path: string, message: string): Case =>
  template(`variables: ${text}`, {
    name: `variables: ${message}`,
    path: `spec.variables${path}`,
    message,
    kubernetes: 'here',
  })

const regularExpression = 'a regular expression could stop the service for everyone'

export const invalidCases: Case[] = [
  channel('suspnd: true', {
    name: 'a misspelt field',
    path: 'spec.suspnd',
    message: 'unknown field; did you mean "suspend"?',
    kubernetes: 'here',
  }),
  channel('colour: red', {
    name: 'a field like no other',
    path: 'spec.colour',
    message: 'unknown field',
    kubernetes: 'here',
  }),
  channel('delivery: {maxAttempt: 3}', {
    name: 'a misspelt field inside a block',
    path: 'spec.delivery.maxAttempt',
    message: 'unknown field; did you mean "maxAttempts"?',
    kubernetes: 'here',
  }),
  {
    name: 'no type',
    kind: 'NotificationChannel',
    spec: `{providers: ${sandbox}}`,
    path: 'spec.type',
    message: 'is required',
    kubernetes: 'schema',
  },
  {
    name: 'an unknown type',
    kind: 'NotificationChannel',
    spec: `{type: fax, providers: ${sandbox}}`,
    path: 'spec.type',
    message: 'must be one of email, sms, push, slack, inapp, webhook',
    kubernetes: 'schema',
  },
  provider('', {
    name: 'no providers',
    path: 'spec.providers',
    message: 'must have at least 1 item',
    kubernetes: 'schema',
  }),
  provider(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `{name: ${name}, type: sandbox}`).join(', '), {
    name: 'six providers',
    path: 'spec.providers',
    message: 'must have at most 5 items',
    kubernetes: 'schema',
  }),
  provider('{name: a, type: sandbox}, {name: a, type: sandbox}', {
    name: 'two providers of one name',
    path: 'spec.providers[1].name',
    message: 'must be unique',
    kubernetes: 'schema',
  }),
  provider('{name: A_1, type: sandbox}', {
    name: 'a provider name that is no label',
    path: 'spec.providers[0].name',
    message:
      'must consist of lower case letters, digits and dashes, and start and end with a letter or digit',
    kubernetes: 'schema',
  }),
  provider('{name: a, type: pigeon}', {
    name: 'an unknown provider type',
    path: 'spec.providers[0].type',
    message: 'must be one of smtp, two-words, sandbox',
    kubernetes: 'schema',
  }),
  provider('{name: a, type: smtp}', {
    name: 'the block of the type is missing',
    path: 'spec.providers[0].smtp',
    message: 'must be set when type is smtp, and only then',
    kubernetes: 'rule',
  }),
  provider('{name: a, type: sandbox, smtp: {host: mail}}', {
    name: 'a block of another type with required settings',
    path: 'spec.providers[0].smtp',
    message: 'must be set when type is smtp, and only then',
    kubernetes: 'rule',
  }),
  provider('{name: a, type: sandbox, two-words: {}}', {
    name: 'a block of another type without required settings',
    path: 'spec.providers[0].two-words',
    message: 'may be set only when type is two-words',
    kubernetes: 'rule',
  }),
  provider('{name: a, type: two-words}', {
    name: 'no Secret for a provider that needs one',
    path: 'spec.providers[0].secretRef',
    message: 'is required when type is two-words: a Secret with token',
    kubernetes: 'rule',
  }),
  {
    name: 'a provider that does not serve the channel type',
    kind: 'NotificationChannel',
    spec: '{type: sms, providers: [{name: a, type: smtp, smtp: {host: mail}}]}',
    path: 'spec.providers',
    message: 'a channel of type sms takes providers of type two-words or sandbox',
    kubernetes: 'rule',
  },
  provider('{name: a, type: smtp, smtp: {host: mail, port: 70000}}', {
    name: 'a port out of range',
    path: 'spec.providers[0].smtp.port',
    message: 'must be at most 65535',
    kubernetes: 'schema',
  }),
  provider('{name: a, type: smtp, smtp: {host: mail, port: "587"}}', {
    name: 'a number as text',
    path: 'spec.providers[0].smtp.port',
    message: 'must be a number',
    kubernetes: 'schema',
  }),
  provider('{name: a, type: smtp, smtp: {hst: mail, host: mail}}', {
    name: 'a misspelt setting of a provider',
    path: 'spec.providers[0].smtp.hst',
    message: 'unknown field; did you mean "host"?',
    kubernetes: 'here',
  }),
  provider('{name: a, type: sandbox, timeout: 10}', {
    name: 'a number for a duration',
    path: 'spec.providers[0].timeout',
    message: 'must be a string',
    kubernetes: 'schema',
  }),
  provider('{name: a, type: sandbox, timeout: 10 seconds}', {
    name: 'words for a duration',
    path: 'spec.providers[0].timeout',
    message: 'must be a duration such as 30s, 5m or 1h30m',
    kubernetes: 'schema',
  }),
  provider('{name: a, type: sandbox, timeout: 10m}', {
    name: 'a duration out of bounds',
    path: 'spec.providers[0].timeout',
    message: 'must be a duration from 100ms to 5m',
    kubernetes: 'rule',
  }),
  provider('{name: a, type: sandbox, rateLimit: {limit: 0}}', {
    name: 'a rate limit of none',
    path: 'spec.providers[0].rateLimit.limit',
    message: 'must be at least 1',
    kubernetes: 'schema',
  }),
  channel('delivery: {retryTiers: [5m, 30s]}', {
    name: 'retry tiers that descend',
    path: 'spec.delivery.retryTiers',
    message: 'must ascend, without two equal delays',
    kubernetes: 'rule',
  }),
  channel('delivery: {retryTiers: [60s, 1m]}', {
    name: 'one retry tier in two notations',
    path: 'spec.delivery.retryTiers',
    message: 'must ascend, without two equal delays',
    kubernetes: 'rule',
  }),
  channel('delivery: {expiresAfter: 200h}', {
    name: 'messages that outlive their log',
    path: 'spec',
    message:
      'delivery.expiresAfter must not exceed topic.retention: Kafka would drop what is still to be delivered',
    kubernetes: 'rule',
  }),
  channel('topic: {name: "email topic"}', {
    name: 'a topic name that Kafka refuses',
    path: 'spec.topic.name',
    message: 'must consist of letters, digits, dots, dashes and underscores',
    kubernetes: 'rule',
  }),
  channel('topic: {name: __consumer_offsets}', {
    name: "a topic of Kafka's own",
    path: 'spec.topic.name',
    message: "must not begin with two underscores: such topics are Kafka's own",
    kubernetes: 'rule',
  }),
  channel(`topic: {name: ${'x'.repeat(201)}}`, {
    name: 'a topic name without room for retry topics',
    path: 'spec.topic.name',
    message: 'must be at most 200 characters long',
    kubernetes: 'schema',
  }),
  channel('topic: {config: {retention.ms: "1000"}}', {
    name: 'a topic setting that has a field',
    path: 'spec.topic.config',
    message:
      'retention.ms and cleanup.policy are not set here: the first is topic.retention, the second is fixed',
    kubernetes: 'rule',
  }),
  channel('topic: {config: {segment.bytes: 1}}', {
    name: 'a number in a map of strings',
    path: 'spec.topic.config["segment.bytes"]',
    message: 'must be a string',
    kubernetes: 'schema',
  }),
  channel('scaling: {minReplicas: 11}', {
    name: 'a minimum above the maximum',
    path: 'spec.scaling.minReplicas',
    message: 'must not exceed maxReplicas',
    kubernetes: 'rule',
  }),
  channel('workers: {image: busybox}', {
    name: 'an image for the workers',
    path: 'spec.workers.image',
    message: 'unknown field',
    kubernetes: 'here',
  }),
  content('{}', {
    name: 'no content',
    path: 'spec.content',
    message: 'needs the content of at least one channel type',
    kubernetes: 'rule',
  }),
  content('{email: {subject: hello}}', {
    name: 'a mail without a body',
    path: 'spec.content.email',
    message: 'needs html or text',
    kubernetes: 'rule',
  }),
  content('{email: {text: hello}}', {
    name: 'a mail without a subject',
    path: 'spec.content.email.subject',
    message: 'is required',
    kubernetes: 'schema',
  }),
  content('{fax: {text: hello}, sms: {text: hello}}', {
    name: 'content of an unknown channel type',
    path: 'spec.content.fax',
    message: 'unknown field',
    kubernetes: 'here',
  }),
  template('defaultLocale: english', {
    name: 'a locale that is no tag',
    path: 'spec.defaultLocale',
    message: 'must be a language tag such as en or pt-BR',
    kubernetes: 'schema',
  }),
  template('locales: {de_DE: {sms: {text: hallo}}}', {
    name: 'a locale key that is no tag',
    path: 'spec.locales',
    message: 'must have language tags such as en or pt-BR as keys',
    kubernetes: 'rule',
  }),
  template('locales: {en: {sms: {text: hi}}}', {
    name: 'a translation into the default locale',
    path: 'spec.locales',
    message: 'must not contain defaultLocale: its text is content',
    kubernetes: 'rule',
  }),
  template('locales: {de: {push: {title: hallo}}}', {
    name: 'a translation of nothing',
    path: 'spec.locales',
    message: 'may only translate channel types that content has',
    kubernetes: 'rule',
  }),
  template('samples: [{name: a}, {name: a}]', {
    name: 'two samples of one name',
    path: 'spec.samples[1].name',
    message: 'must be unique',
    kubernetes: 'schema',
  }),
  template('variables: [a]', {
    name: 'variables that are a list',
    path: 'spec.variables',
    message: 'must be a map',
    kubernetes: 'schema',
  }),
  variables('{type: object, requierd: [a]}', '.requierd', 'unknown keyword; did you mean "required"?'),
  variables('{properties: {}}', '.type', 'must be object: the data of a request is one'),
  variables(
    '{type: object, properties: {a: {type: string, pattern: "^(a+)+$"}}}',
    '.properties.a.pattern',
    `is not allowed: ${regularExpression}; use enum, format, minLength or maxLength`,
  ),
  variables(
    '{type: object, patternProperties: {a: {}}}',
    '.patternProperties',
    `is not allowed: ${regularExpression}; use properties or additionalProperties`,
  ),
]

/** Specs with nothing wrong, from the least that is needed to what looks suspicious. */
export const validCases: { name: string; kind: Case['kind']; spec: string }[] = [
  {
    name: 'the least of a channel',
    kind: 'NotificationChannel',
    spec: `{type: email, providers: ${sandbox}}`,
  },
  {
    name: 'a block of a type with a dash',
    kind: 'NotificationChannel',
    spec: '{type: sms, providers: [{name: a, type: two-words, two-words: {region: eu}, secretRef: {name: s}}]}',
  },
  {
    name: 'a channel that says everything',
    kind: 'NotificationChannel',
    spec: `{type: email, suspend: true,
      providers: [{name: a, type: smtp, smtp: {host: mail, port: 25, tls: None}, secretRef: {name: s}, timeout: 1.5m, maxConcurrent: 1,
        rateLimit: {limit: 5, interval: 1m}}, {name: b, type: sandbox, sandbox: {}}],
      delivery: {retryTiers: [1s, 90s, 2m], maxAttempts: 1, expiresAfter: 168h, ordering: Unordered, onUnknown: Hold, concurrency: 1,
        perRecipientLimit: {limit: 20, interval: 1h}},
      topic: {name: email-topic, partitions: 1, replicas: 1, retention: 168h, config: {min.insync.replicas: "2"}, deletionPolicy: Delete},
      workers: {resources: {limits: {cpu: 1, memory: 256Mi}}, nodeSelector: {disk: ssd}, tolerations: [{key: a, operator: Exists}],
        affinity: {nodeAffinity: {}}, priorityClassName: high, labels: {a: b}, annotations: {a: b}},
      scaling: {mode: KEDA, minReplicas: 0, maxReplicas: 1, lagThreshold: 1, targetDrain: 1s, idleAfter: 1s, fallback: {replicas: 1, after: 10s}}}`,
  },
  { name: 'the least of a template', kind: 'NotificationTemplate', spec: '{content: {webhook: {body: {}}}}' },
  {
    name: 'a template that says everything',
    kind: 'NotificationTemplate',
    spec: `{category: orders, critical: true, defaultLocale: pt-BR,
      variables: {type: object, required: [pattern], properties: {pattern: {type: string, default: x}, at: {type: string, format: date-time}}},
      content: {email: {subject: s, html: h}, sms: {text: t}, push: {title: t, body: b, data: {a: b}}, slack: {text: t, blocks: [{type: divider}]},
        inapp: {title: t, body: b, actionUrl: /a}, webhook: {body: {a: [1]}}},
      locales: {de: {email: {subject: s}, slack: {text: t}}},
      samples: [{name: a, locale: de, data: {pattern: x}, expect: {email: {subject: s}}}, {name: b}]}`,
  },
]

/** The manifest of a case. The spec stands on line 4. */
export function manifestOf({ kind, spec }: { kind: string; spec: string }): string {
  return `apiVersion: carillon.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: example, namespace: shop}\nspec: ${spec}\n`
}
