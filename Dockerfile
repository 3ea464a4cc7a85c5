# weir as an image. The .NET images are arguments, so that they come from the registry that you trust:
#
#   docker build --build-arg SDK_IMAGE=<.NET SDK 10 on Debian 12> --build-arg RUNTIME_IMAGE=<ASP.NET runtime 10 on Debian 12> -t weir:0.1.0 .
#
# docs/deploy.md says what of this was run.
ARG SDK_IMAGE
ARG RUNTIME_IMAGE

FROM ${SDK_IMAGE} AS build
WORKDIR /source
# npm fetches the embedded ClickHouse; the compiler builds librdkafka where the feed has no package of it.
RUN apt-get update && apt-get install -y --no-install-recommends npm nodejs && rm -rf /var/lib/apt/lists/*
COPY . .
# WeirImage: the embedded ClickHouse beside the program, and of librdkafka's libraries only the one of this processor.
RUN scripts/setup.sh && dotnet publish src/Host -c Release -o /app --nologo -p:WeirImage=true \
    && if [ -e .native/librdkafka.so ]; then cp -L .native/librdkafka.so /app/; fi

FROM ${RUNTIME_IMAGE}
# What the native libraries are linked to, and nothing else: no shell tools, no compiler.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libzstd1 liblz4-1 libsnappy1v5 libssl3 ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /app /app
# The number, not a name: kubelet checks runAsNonRoot by it.
USER 65532:65532
WORKDIR /var/lib/weir
# GCgen0size: 32 MB for new objects, in hexadecimal (ARCHITECTURE.md, 'Memory').
ENV DOTNET_NOLOGO=1 DOTNET_GCgen0size=2000000 TMPDIR=/tmp
EXPOSE 9526
ENTRYPOINT ["/app/weir"]
CMD ["run", "-c", "/etc/weir/weir.yaml"]
