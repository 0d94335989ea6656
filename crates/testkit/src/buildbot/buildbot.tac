# What twistd runs: the master in this folder. (Buildbot looks for these very quotation marks.)
from buildbot.master import BuildMaster
from twisted.application import service

application = service.Application('buildmaster')
BuildMaster(".", "master.cfg").setServiceParent(application)
